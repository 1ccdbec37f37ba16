/**
 * Random bytes of the kernel's, for a worker.
 *
 * From the device file, since `node:crypto` is 0.8 MiB of memory that few modules need for anything else. Node itself has waited
 * at its start until the kernel's generator was seeded.
 */

import { closeSync, openSync, readSync } from "node:fs";

const DEVICE = "/dev/urandom";

/** Small requests are served from as many bytes, so that not each of them opens the file. */
const POOL_BYTES = 256;

let pool: Buffer = Buffer.alloc(0);

/** That many bytes, which nobody else gets. */
export function randomBytes(length: number): Uint8Array {
  if (length > POOL_BYTES) return readBytes(length);
  if (length > pool.length) pool = readBytes(POOL_BYTES);
  const taken = Uint8Array.from(pool.subarray(0, length));
  pool.fill(0, 0, length);
  pool = pool.subarray(length);
  return taken;
}

function readBytes(length: number): Buffer {
  let device: number;
  try {
    device = openSync(DEVICE, "r");
  } catch {
    // A system without the file (or a jail without /dev) has the generator all the same.
    return process.getBuiltinModule("node:crypto").randomBytes(length);
  }
  try {
    const bytes = Buffer.alloc(length);
    for (let filled = 0; filled < length; ) filled += readSync(device, bytes, { offset: filled });
    return bytes;
  } finally {
    closeSync(device);
  }
}
