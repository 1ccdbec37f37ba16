/** Which files and folders this process asks the kernel to sync (fsync(2)) below a folder, through node:fs/promises. */

import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { relative } from "node:path";
import type { ExecutionContext } from "ava";

/** Records from now on, until the test ends; paths are relative to `folder`, which is itself "". */
export async function recordSyncs(t: ExecutionContext, folder: string): Promise<readonly string[]> {
  const root = await realpath(folder);
  const handle = await open(root);
  const prototype: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const { sync } = prototype;
  const synced: string[] = [];
  prototype.sync = async function (this: FileHandle) {
    await sync.call(this);
    const path = await readlink(`/proc/self/fd/${this.fd}`);
    if (path === root || path.startsWith(`${root}/`)) synced.push(relative(root, path));
  };
  t.teardown(() => {
    prototype.sync = sync;
  });
  return synced;
}
