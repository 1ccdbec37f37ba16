/** Writes that the system cuts short, in a process that may not make files larger than 8 blocks. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";

/** Writes more than the limit and prints what it was told. The folder is its argument. */
const WRITER = `
import { createControlMemory } from ${modulePath("control-block.ts")};
import { ModuleSession } from ${modulePath("module-session.ts")};
import { createFilesystem } from ${modulePath("wasi/filesystem/filesystem.ts")};
import { createKeyvalue } from ${modulePath("wasi/keyvalue.ts")};
import { createPolling } from ${modulePath("wasi/poll.ts")};

const session = new ModuleSession({ postMessage() {} }, createControlMemory());
const folders = [{ hostPath: process.argv[1], guestPath: "/data" }];
const { preopens } = createFilesystem(session, createPolling(session), { folders, writtenBytesPerSecond: 1 });
const [[root]] = preopens.getDirectories();
const file = root.openAt({}, "file", { create: true }, { write: true });
const told = (work) => {
  try {
    return work();
  } catch (error) {
    return error.payload?.tag ?? error.payload ?? error.tag;
  }
};
const written = Number(told(() => file.write(new Uint8Array(10_000), 0n)));
const next = told(() => file.write(new Uint8Array(1), BigInt(written)));
const stream = file.writeViaStream(1n);
stream.checkWrite();
const streamed = told(() => stream.write(new Uint8Array(10_000)));

const quota = { maxBytes: 1_000_000, maxEntries: 100 };
const options = { folders: [{ ...folders[0], quota }], writtenBytesPerSecond: 1024 ** 3 };
const { privateFolder } = createFilesystem(session, createPolling(session), options);
const bucket = createKeyvalue(privateFolder).store.open("");
bucket.set("key", new Uint8Array(2_000).fill(1));
const setError = told(() => bucket.set("key", new Uint8Array(10_000).fill(2)));
const kept = bucket.get("key");
const isKept = kept.byteLength === 2_000 && kept.every((byte) => byte === 1);
process.stdout.write(JSON.stringify({ written, next, streamed, setError, isKept }));
`;

interface Told {
  readonly written: number;
  readonly next: unknown;
  readonly streamed: unknown;
  readonly setError: unknown;
  readonly isKept: boolean;
}

function modulePath(name: string): string {
  return JSON.stringify(import.meta.resolve(`../../sandbox/${name}`));
}

test("a write that the system cuts short says how much was written; the next one, and a stream, say why; a stored value stays", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "skerry-short-write-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const script = `trap '' XFSZ; ulimit -f 8; exec "$0" --input-type=module --eval "$1" "$2"`;
  const { stdout } = spawnSync("sh", ["-c", script, process.execPath, WRITER, folder], { encoding: "utf8" });
  const { written, next, streamed, setError, isKept } = JSON.parse(stdout) as Told;
  t.true(written > 0 && written < 10_000);
  t.is(statSync(join(folder, "file")).size, written);
  t.is(next, "file-too-large");
  t.is(streamed, "last-operation-failed");
  t.is(setError, "other");
  t.true(isKept);
});
