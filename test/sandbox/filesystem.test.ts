/** `wasi:filesystem` 0.2 (sandbox/wasi/filesystem) on real folders, called the way the linker calls it. */

import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { decodeFrame } from "../../sandbox/channel.ts";
import { AgentControl, createControlMemory } from "../../sandbox/control-block.ts";
import {
  MAX_FOLDER_DEPTH_LEVELS,
  MAX_OPEN_FILES,
  MAX_STREAM_PIECE_BYTES,
  WRITTEN_BURST_BYTES,
  WRITTEN_PAGE_BYTES,
} from "../../sandbox/limits.ts";
import { ModuleSession } from "../../sandbox/module-session.ts";
import type { ModuleFolder } from "../../sandbox/module-spec.ts";
import type { Descriptor } from "../../sandbox/wasi/filesystem/descriptor.ts";
import type { FilesystemErrorCode } from "../../sandbox/wasi/filesystem/error-code.ts";
import { createFilesystem } from "../../sandbox/wasi/filesystem/filesystem.ts";
import { filesystemErrorCode } from "../../sandbox/wasi/filesystem/streams.ts";
import { createPolling } from "../../sandbox/wasi/poll.ts";

const READ = { read: true };
const WRITE = { write: true };
const BOTH = { read: true, write: true };
const CREATE = { create: true };
const FOLLOW = { symlinkFollow: true };
const HERE = {};

interface Granted {
  readonly path: string;
  readonly root: Descriptor;
  /** The codes of the limits that were reported. */
  readonly limited: readonly string[];
  /** From now on the module is stopped as soon as one is. */
  readonly stopWhenLimited: () => void;
}

/** A new folder of the host, `outside` it a secret, and the folder as a module sees it. */
function granted(
  t: ExecutionContext,
  quota?: ModuleFolder["quota"],
  writtenBytesPerSecond = 1024 ** 3,
): Granted {
  const outside = mkdtempSync(join(tmpdir(), "skerry-files-"));
  t.teardown(() => rmSync(outside, { recursive: true, force: true }));
  writeFileSync(join(outside, "secret"), "secret");
  const path = join(outside, "folder");
  mkdirSync(path);
  const limited: string[] = [];
  const memory = createControlMemory();
  let stops = false;
  const postMessage = (frame: Uint8Array) => {
    const { head } = decodeFrame(frame);
    limited.push(String((head as { code?: unknown }).code));
    if (stops) new AgentControl(memory).requestStop();
  };
  const stopWhenLimited = () => {
    stops = true;
  };
  const session = new ModuleSession({ postMessage }, memory);
  const folder = { hostPath: path, guestPath: "/data", ...(quota === undefined ? {} : { quota }) };
  const { preopens } = createFilesystem(session, createPolling(session), {
    folders: [folder],
    writtenBytesPerSecond,
  });
  const [first] = preopens.getDirectories();
  if (first === undefined) throw new Error("no folder");
  t.is(first[1], "/data");
  return { path, root: first[0], limited, stopWhenLimited };
}

function fails(
  t: ExecutionContext,
  wanted: FilesystemErrorCode,
  work: () => unknown,
  message?: string,
): void {
  const error = t.throws(work, { name: "FilesystemError" }, message);
  t.is(error?.message, wanted, message);
}

function create(root: Descriptor, path: string, text = ""): Descriptor {
  const file = root.openAt(HERE, path, CREATE, BOTH);
  file.write(Buffer.from(text), 0n);
  return file;
}

function names(folder: Descriptor): string[] {
  const entries = folder.readDirectory();
  const found: string[] = [];
  for (let entry = entries.readDirectoryEntry(); entry !== undefined; ) {
    found.push(`${entry.name}:${entry.type}`);
    entry = entries.readDirectoryEntry();
  }
  entries[Symbol.dispose]();
  return found.sort();
}

/** As when a guest drops its handle; the types of streams leave it out. */
function drop(resource: unknown): void {
  const object = Object(resource);
  Reflect.apply(Reflect.get(object, Symbol.dispose), object, []);
}

/** Node has no call for it. */
const PIPE_MAKER = "mkfifo";
function makePipe(path: string): void {
  execFileSync(PIPE_MAKER, [path]);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

test("no way out: by .., by an absolute path, by what a symbolic link says", (t) => {
  const { path, root } = granted(t);
  root.createDirectoryAt("a");
  symlinkSync("../secret", join(path, "up"));
  symlinkSync("/etc/passwd", join(path, "absolute"));
  symlinkSync("..", join(path, "a/parent"));
  symlinkSync("a/parent/..", join(path, "twice"));
  const ways = [
    "..",
    "../secret",
    "a/../..",
    "a/../../secret",
    "/",
    "/etc/passwd",
    "up",
    "absolute",
    "twice/secret",
  ];
  for (const way of [...ways, "a/parent/../secret", "./../folder/a", "up/", "absolute/x"]) {
    fails(t, "not-permitted", () => root.openAt(FOLLOW, way, HERE, READ), way);
    fails(t, "not-permitted", () => root.statAt(FOLLOW, way), way);
    fails(t, "not-permitted", () => root.metadataHashAt(FOLLOW, way), way);
    fails(t, "not-permitted", () => root.setTimesAt(FOLLOW, way, { tag: "now" }, { tag: "now" }), way);
  }
  for (const way of ["../new", "/new", "a/../../new", "twice/new"]) {
    fails(t, "not-permitted", () => root.openAt(HERE, way, CREATE, WRITE), way);
    fails(t, "not-permitted", () => root.createDirectoryAt(way), way);
    fails(t, "not-permitted", () => root.symlinkAt("a", way), way);
    fails(t, "not-permitted", () => root.renameAt("a", root, way), way);
    fails(t, "not-permitted", () => root.linkAt(HERE, "up", root, way), way);
    fails(t, "not-permitted", () => root.unlinkFileAt(way), way);
    fails(t, "not-permitted", () => root.removeDirectoryAt(way), way);
    fails(t, "not-permitted", () => root.readlinkAt(way), way);
  }
  for (const way of ["up/", "absolute/", "a/parent/../secret"]) {
    fails(t, "not-permitted", () => root.linkAt(HERE, way, root, "new"), way);
    fails(t, "not-permitted", () => root.readlinkAt(way), way);
  }
  t.deepEqual(readdirSync(join(path, "..")).sort(), ["folder", "secret"]);
});

test("no way out of a folder that was opened below another, not even into that one", (t) => {
  const { root } = granted(t);
  create(root, "beside", "x");
  root.createDirectoryAt("inner");
  const inner = root.openAt(HERE, "inner", { directory: true }, READ);
  fails(t, "not-permitted", () => inner.openAt(HERE, "..", HERE, READ));
  fails(t, "not-permitted", () => inner.openAt(HERE, "../beside", HERE, READ));
});

test("a folder that is moved out while it is open leads nowhere but into itself", (t) => {
  const { path, root } = granted(t);
  root.createDirectoryAt("a");
  root.createDirectoryAt("a/b");
  const folder = root.openAt(HERE, "a/b", { directory: true }, READ);
  renameSync(join(path, "a/b"), join(path, "../b"));
  fails(t, "not-permitted", () => folder.openAt(HERE, "../secret", HERE, READ));
  symlinkSync("../secret", join(path, "../b/up"));
  fails(t, "not-permitted", () => folder.openAt(FOLLOW, "up", HERE, READ));
});

test("a link that takes a folder's place while paths are walked never leads out", async (t) => {
  const { path, root } = granted(t);
  mkdirSync(join(path, "x"));
  writeFileSync(join(path, "x/secret"), "inside");
  symlinkSync("..", join(path, "link"));
  // Swaps x with the link for as long as the test walks over it.
  const script = `for (;;) { try { require("fs").renameSync("x", "kept"); require("fs").renameSync("link", "x");
    require("fs").renameSync("x", "link"); require("fs").renameSync("kept", "x"); } catch {} }`;
  const { spawn } = await import("node:child_process");
  const swapper = spawn(process.execPath, ["-e", script], { cwd: path, stdio: "ignore" });
  t.teardown(() => swapper.kill("SIGKILL"));
  const seen = new Set<string>();
  const endMs = performance.now() + 1500;
  while (performance.now() < endMs) {
    try {
      const file = root.openAt(FOLLOW, "x/secret", HERE, READ);
      seen.add(text(file.read(10n, 0n)[0]));
      file[Symbol.dispose]();
    } catch (error) {
      seen.add(error instanceof Error ? error.message : "");
    }
  }
  seen.delete("no-entry");
  t.true(seen.delete("inside"), "the swapping never let the walk through");
  t.deepEqual(
    [...seen].filter((one) => one !== "not-permitted" && one !== "not-directory"),
    [],
  );
});

test("symbolic links inside are followed, at the end only when asked to", (t) => {
  const { root } = granted(t);
  root.createDirectoryAt("dir");
  create(root, "dir/file", "content");
  root.symlinkAt("dir", "to-dir");
  root.symlinkAt("dir/../to-dir/file", "to-file");
  root.symlinkAt("absent", "dangling");
  t.is(root.readlinkAt("to-file"), "dir/../to-dir/file");
  t.is(text(root.openAt(FOLLOW, "to-file", HERE, READ).read(100n, 0n)[0]), "content");
  t.is(text(root.openAt(HERE, "to-dir/file", HERE, READ).read(100n, 0n)[0]), "content");
  fails(t, "loop", () => root.openAt(HERE, "to-file", HERE, READ));
  fails(t, "loop", () => root.openAt(HERE, "dangling", HERE, READ));
  fails(t, "no-entry", () => root.openAt(FOLLOW, "dangling", HERE, READ));
  t.is(root.statAt(HERE, "to-dir").type, "symbolic-link");
  t.is(root.statAt(HERE, "to-dir/").type, "directory");
  t.is(root.statAt(FOLLOW, "to-dir").type, "directory");
  fails(t, "not-directory", () => root.statAt(HERE, "to-file/"));
  t.is(root.statAt(HERE, "to-file").size, 18n);
});

test("creating through a dangling link makes what it points to; exclusively it is in the way", (t) => {
  const { path, root } = granted(t);
  root.symlinkAt("made", "link");
  fails(t, "exist", () => root.openAt(FOLLOW, "link", { create: true, exclusive: true }, WRITE));
  root.openAt(FOLLOW, "link", CREATE, WRITE);
  t.true(existsSync(join(path, "made")));
});

test("links in a circle, and chains that are too long, are loops", (t) => {
  const { root } = granted(t);
  root.symlinkAt("b", "a");
  root.symlinkAt("a", "b");
  fails(t, "loop", () => root.openAt(FOLLOW, "a", HERE, READ));
  fails(t, "loop", () => root.statAt(HERE, "a/x"));
  create(root, "end");
  root.symlinkAt("end", "l0");
  for (let index = 1; index <= 40; index += 1) root.symlinkAt(`l${index - 1}`, `l${index}`);
  t.is(root.statAt(FOLLOW, "l39").type, "regular-file");
  fails(t, "loop", () => root.statAt(FOLLOW, "l40"));
});

test("paths: names, dots, slashes, and what is too long", (t) => {
  const { root } = granted(t);
  root.createDirectoryAt("dir");
  root.createDirectoryAt("dir/nested");
  create(root, "dir/nested/file", "x");
  for (const path of ["dir/.//nested/../../dir/nested/../nested///./file", "./dir/nested/file"]) {
    t.is(root.statAt(HERE, path).type, "regular-file", path);
  }
  for (const path of [".", "./", "dir/..", "dir/nested/../..", "dir/.", "dir//"]) {
    t.is(root.openAt(HERE, path, HERE, READ).getType(), "directory", path);
  }
  for (const path of ["dir/nested/file/", "dir/nested/file///", "dir/nested/file/.", "dir/nested/file/x"]) {
    fails(t, "not-directory", () => root.openAt(HERE, path, HERE, READ), path);
  }
  fails(t, "no-entry", () => root.openAt(HERE, "", HERE, READ));
  fails(t, "no-entry", () => root.openAt(HERE, "dir/absent/../nested/file", HERE, READ));
  fails(t, "invalid", () => root.openAt(HERE, "dir/nested/file\0", HERE, READ));
  fails(t, "invalid", () => root.symlinkAt("a\0", "link"));
  fails(t, "name-too-long", () => root.statAt(HERE, "x".repeat(256)));
  fails(t, "name-too-long", () => root.statAt(HERE, "dir/../".repeat(600)));
  fails(t, "not-directory", () => root.openAt(HERE, "dir/nested/file", { directory: true }, READ));
});

test("open-at: creating, exclusively, truncating, folders", (t) => {
  const { root } = granted(t);
  fails(t, "no-entry", () => root.openAt(HERE, "file", HERE, BOTH));
  create(root, "file", "0123456789");
  fails(t, "exist", () => root.openAt(HERE, "file", { create: true, exclusive: true }, WRITE));
  t.is(root.openAt(HERE, "file", CREATE, READ).stat().size, 10n);
  t.is(root.openAt(HERE, "file", { truncate: true }, WRITE).stat().size, 0n);
  root.createDirectoryAt("dir");
  fails(t, "is-directory", () => root.openAt(HERE, "dir", HERE, WRITE));
  fails(t, "is-directory", () => root.openAt(HERE, "dir", CREATE, READ));
  fails(t, "is-directory", () => root.openAt(HERE, "new/", CREATE, WRITE));
  for (const path of [".", "dir/.", "dir/.."]) {
    fails(t, "is-directory", () => root.openAt(HERE, path, CREATE, READ), path);
    fails(t, "exist", () => root.openAt(HERE, path, { create: true, exclusive: true }, WRITE), path);
  }
  fails(t, "invalid", () => root.openAt(HERE, "dir", { create: true, directory: true }, READ));
  t.is(root.openAt(HERE, "dir/", { directory: true }, READ).getType(), "directory");
});

test("a descriptor does what it was opened for, and nothing else", (t) => {
  const { root } = granted(t);
  create(root, "file", "content");
  const reading = root.openAt(HERE, "file", HERE, READ);
  const writing = root.openAt(HERE, "file", HERE, WRITE);
  fails(t, "bad-descriptor", () => reading.write(Buffer.from("x"), 0n));
  fails(t, "bad-descriptor", () => reading.writeViaStream(0n));
  fails(t, "bad-descriptor", () => reading.appendViaStream());
  fails(t, "bad-descriptor", () => reading.setSize(0n));
  fails(t, "bad-descriptor", () => writing.read(1n, 0n));
  fails(t, "bad-descriptor", () => writing.readViaStream(0n));
  fails(t, "is-directory", () => root.read(1n, 0n));
  fails(t, "bad-descriptor", () => root.write(Buffer.from("x"), 0n));
  fails(t, "not-directory", () => reading.openAt(HERE, "x", CREATE, WRITE));
  fails(t, "not-directory", () => reading.readDirectory());
  fails(t, "not-directory", () => reading.statAt(HERE, "."));
  t.deepEqual(reading.getFlags(), READ);
  t.deepEqual(root.getFlags(), { read: true, mutateDirectory: true });
});

test("read and write at offsets; a write beyond the end leaves zeros", (t) => {
  const { root } = granted(t);
  const file = create(root, "file", "0123456789");
  t.is(file.write(Buffer.from("ab"), 4n), 2n);
  t.deepEqual(file.read(4n, 3n), [new Uint8Array(Buffer.from("3ab6")), false]);
  t.deepEqual(file.read(4n, 10n), [new Uint8Array(0), true]);
  t.deepEqual(file.read(0n, 3n), [new Uint8Array(0), true]);
  t.deepEqual(file.read(4n, 2n ** 63n - 1n), [new Uint8Array(0), true]);
  file.write(Buffer.from("z"), 12n);
  t.is(text(file.read(100n, 0n)[0]), "0123ab6789\0\0z");
  fails(t, "invalid", () => file.read(1n, 2n ** 63n));
  fails(t, "invalid", () => file.write(Buffer.from("x"), 2n ** 64n - 1n));
  fails(t, "file-too-large", () => file.write(Buffer.from("x"), 2n ** 63n - 1n));
});

test("one read gives at most so much, whatever is asked for", (t) => {
  const { path, root } = granted(t);
  writeFileSync(join(path, "big"), Buffer.alloc(MAX_STREAM_PIECE_BYTES + 1));
  const file = root.openAt(HERE, "big", HERE, READ);
  t.is(file.read(2n ** 64n - 1n, 0n)[0].byteLength, MAX_STREAM_PIECE_BYTES);
  t.is(file.readViaStream(0n).read(2n ** 64n - 1n).byteLength, MAX_STREAM_PIECE_BYTES);
});

test("streams keep their own positions; one that appends finds the end each time", (t) => {
  const { root } = granted(t);
  const file = create(root, "file", "0123456789");
  const [one, two] = [file.readViaStream(2n), file.readViaStream(8n)];
  t.is(text(one.blockingRead(3n)), "234");
  t.is(text(two.blockingRead(3n)), "89");
  t.is(text(one.read(2n)), "56");
  t.is(one.skip(2n), 2n);
  t.is(text(one.read(100n)), "9");
  t.deepEqual(t.throws(() => one.read(1n), { any: true }) as unknown, { tag: "closed" });
  t.is(one.read(0n).byteLength, 0);
  const writer = file.writeViaStream(8n);
  const appender = file.appendViaStream();
  writer.blockingWriteAndFlush(Buffer.from("WXYZ"));
  appender.blockingWriteAndFlush(Buffer.from("+"));
  writer.blockingWriteAndFlush(Buffer.from("-"));
  appender.blockingWriteAndFlush(Buffer.from("!"));
  t.is(text(file.read(100n, 0n)[0]), "01234567WXYZ-!");
});

test("a stream outlives its descriptor, on its own file and no other", (t) => {
  const { path, root } = granted(t);
  const file = create(root, "file", "content");
  const [reader, writer] = [file.readViaStream(0n), file.writeViaStream(0n)];
  file[Symbol.dispose]();
  // The system gives out the lowest number that is free.
  const secret = openSync(join(path, "../secret"), "r+");
  t.teardown(() => closeSync(secret));
  t.is(text(reader.read(7n)), "content");
  writer.blockingWriteAndFlush(Buffer.from("CON"));
  t.is(readFileSync(join(path, "file"), "utf8"), "CONtent");
  t.is(readFileSync(join(path, "../secret"), "utf8"), "secret");
});

test("a file is closed with the last of its descriptor and its streams", (t) => {
  const { root } = granted(t);
  for (let count = 0; count <= MAX_OPEN_FILES; count += 1) {
    const file = create(root, "file");
    const streams = [file.readViaStream(0n), file.appendViaStream()];
    for (const resource of count % 2 === 0 ? [file, ...streams] : [...streams, file]) drop(resource);
  }
  t.notThrows(() => create(root, "file"));
  const [first] = Array.from({ length: MAX_OPEN_FILES - 1 }, () => {
    const file = create(root, "file");
    const stream = file.readViaStream(0n);
    drop(file);
    return stream;
  });
  fails(t, "insufficient-memory", () => create(root, "file"));
  drop(first);
  t.notThrows(() => create(root, "file"));
});

test("splice copies from stream to stream, to the end of the source", (t) => {
  const { root } = granted(t);
  const from = create(root, "from", "0123456789").readViaStream(0n);
  const target = create(root, "to");
  const to = target.writeViaStream(0n);
  t.is(to.splice(from, 4n), 4n);
  t.is(to.blockingSplice(from, 2n ** 64n - 1n), 6n);
  t.deepEqual(t.throws(() => to.splice(from, 1n), { any: true }) as unknown, { tag: "closed" });
  to.blockingWriteZeroesAndFlush(2n);
  t.is(text(target.read(100n, 0n)[0]), "0123456789\0\0");
});

test("a write needs the permission of check-write, and not more", (t) => {
  const { root } = granted(t);
  const stream = create(root, "file").writeViaStream(0n);
  t.throws(() => stream.write(Buffer.from("x")), { message: /permit/ });
  const permit = stream.checkWrite();
  t.throws(() => stream.write(new Uint8Array(Number(permit) + 1)), { message: /permit/ });
  stream.write(new Uint8Array(Number(permit)));
  stream.flush();
  stream.blockingFlush();
  t.is(root.statAt(HERE, "file").size, permit);
});

test("a stream of a file is always ready", (t) => {
  const { root } = granted(t);
  const file = create(root, "file");
  for (const stream of [file.readViaStream(0n), file.appendViaStream()]) {
    const pollable = stream.subscribe();
    t.true(pollable.ready());
    t.is(pollable.block(), undefined);
  }
});

test("a stream's error carries the file system's code, and closes the stream", (t) => {
  const { root } = granted(t, { maxBytes: 10, maxEntries: 10 });
  const stream = create(root, "file").writeViaStream(0n);
  stream.blockingWriteAndFlush(Buffer.from("0123456789"));
  const thrown: unknown = t.throws(() => stream.blockingWriteAndFlush(Buffer.from("x")), { any: true });
  t.like(thrown, { tag: "last-operation-failed" });
  const error: unknown = Reflect.get(Object(thrown), "val");
  t.is(filesystemErrorCode(Object(error)), "quota");
  t.deepEqual(t.throws(() => stream.blockingWriteAndFlush(Buffer.from("x")), { any: true }) as unknown, {
    tag: "closed",
  });
});

test("set-size cuts and fills with zeros", (t) => {
  const { root } = granted(t);
  const file = create(root, "file", "0123456789");
  file.setSize(4n);
  file.setSize(6n);
  t.is(text(file.read(100n, 0n)[0]), "0123\0\0");
  fails(t, "invalid", () => file.setSize(2n ** 63n));
  fails(t, "file-too-large", () => file.setSize(2n ** 63n - 1n));
});

test("stat tells type, size, links and times; times are set to the nanosecond", (t) => {
  const { root } = granted(t);
  const file = create(root, "file", "abc");
  const before = file.stat();
  t.like(before, { type: "regular-file", size: 3n, linkCount: 1n });
  t.true((before.dataModificationTimestamp?.seconds ?? 0n) > 1_700_000_000n);
  const modified = { seconds: 1_234_567_890n, nanoseconds: 123_456_789 };
  file.setTimes({ tag: "no-change" }, { tag: "timestamp", val: modified });
  t.deepEqual(file.stat().dataModificationTimestamp, modified);
  t.deepEqual(root.statAt(HERE, "file").dataModificationTimestamp, modified);
  t.deepEqual(file.stat().dataAccessTimestamp, before.dataAccessTimestamp);
  const accessed = { seconds: 1n, nanoseconds: 999_999_999 };
  root.setTimesAt(HERE, "file", { tag: "timestamp", val: accessed }, { tag: "no-change" });
  t.deepEqual(file.stat().dataAccessTimestamp, accessed);
  t.deepEqual(file.stat().dataModificationTimestamp, modified);
  file.write(Buffer.from("x"), 0n);
  t.notDeepEqual(file.stat().dataModificationTimestamp, modified);
  file.setTimes({ tag: "now" }, { tag: "now" });
  t.true((file.stat().dataAccessTimestamp?.seconds ?? 0n) > 1_700_000_000n);
  const wrong = { tag: "timestamp", val: { seconds: 0n, nanoseconds: 1_000_000_000 } } as const;
  fails(t, "invalid", () => file.setTimes(wrong, { tag: "no-change" }));
});

test("a time that is set to now is none before the file's last change", (t) => {
  const { root } = granted(t);
  const file = create(root, "file");
  const nsOf = (time: ReturnType<Descriptor["stat"]>["dataModificationTimestamp"]) =>
    (time?.seconds ?? 0n) * 1_000_000_000n + BigInt(time?.nanoseconds ?? 0);
  for (let count = 0; count < 200; count += 1) {
    file.write(Buffer.from("x"), 0n);
    const written = nsOf(file.stat().dataModificationTimestamp);
    file.setTimes({ tag: "now" }, { tag: "now" });
    t.true(nsOf(file.stat().dataModificationTimestamp) >= written);
  }
});

test("set-times-at sets a link's own times, or those of what it leads to", (t) => {
  const { root } = granted(t);
  create(root, "file");
  root.symlinkAt("file", "link");
  const time = (seconds: bigint) => ({ tag: "timestamp", val: { seconds, nanoseconds: 0 } }) as const;
  root.setTimesAt(HERE, "link", { tag: "no-change" }, time(1000n));
  root.setTimesAt(FOLLOW, "link", { tag: "no-change" }, time(2000n));
  t.is(root.statAt(HERE, "link").dataModificationTimestamp?.seconds, 1000n);
  t.is(root.statAt(HERE, "file").dataModificationTimestamp?.seconds, 2000n);
});

test("read-directory gives each entry with its type, without the dots", (t) => {
  const { path, root } = granted(t);
  create(root, "file");
  root.createDirectoryAt("dir");
  root.symlinkAt("file", "link");
  makePipe(join(path, "pipe"));
  t.deepEqual(names(root), ["dir:directory", "file:regular-file", "link:symbolic-link", "pipe:fifo"]);
  t.deepEqual(names(root.openAt(HERE, "dir", HERE, READ)), []);
});

test("read-directory goes on while the folder changes, each entry at most once", (t) => {
  const { root } = granted(t);
  const all = Array.from({ length: 200 }, (_, index) => `file-${index}`);
  for (const name of all) create(root, name)[Symbol.dispose]();
  const entries = root.readDirectory();
  const seen: string[] = [];
  for (let entry = entries.readDirectoryEntry(); entry !== undefined; ) {
    seen.push(entry.name);
    root.unlinkFileAt(entry.name);
    entry = entries.readDirectoryEntry();
  }
  entries[Symbol.dispose]();
  t.deepEqual(seen.sort(), all.sort());
  t.deepEqual(names(root), []);
});

test("a name that is no UTF-8 is an entry that can't be had", (t) => {
  const { path, root } = granted(t);
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xff)]), "");
  const entries = root.readDirectory();
  fails(t, "illegal-byte-sequence", () => entries.readDirectoryEntry());
  entries[Symbol.dispose]();
});

test("folders: made once, removed when empty, and only folders", (t) => {
  const { root } = granted(t);
  root.createDirectoryAt("dir/");
  fails(t, "exist", () => root.createDirectoryAt("dir"));
  fails(t, "exist", () => root.createDirectoryAt("."));
  fails(t, "no-entry", () => root.createDirectoryAt("absent/dir"));
  create(root, "dir/file");
  fails(t, "not-empty", () => root.removeDirectoryAt("dir"));
  fails(t, "not-directory", () => root.removeDirectoryAt("dir/file"));
  fails(t, "no-entry", () => root.removeDirectoryAt("absent"));
  fails(t, "is-directory", () => root.unlinkFileAt("dir"));
  fails(t, "is-directory", () => root.unlinkFileAt("dir/"));
  fails(t, "not-directory", () => root.unlinkFileAt("dir/file/"));
  fails(t, "no-entry", () => root.unlinkFileAt("absent"));
  root.symlinkAt("dir", "link");
  fails(t, "not-directory", () => root.removeDirectoryAt("link"));
  root.unlinkFileAt("link");
  root.unlinkFileAt("dir/file");
  root.removeDirectoryAt("dir/");
  t.deepEqual(names(root), []);
});

test("rename: over files and empty folders of the same kind, POSIX's way", (t) => {
  const { root } = granted(t);
  create(root, "one", "1");
  create(root, "two", "2");
  root.renameAt("one", root, "two");
  t.is(text(root.openAt(HERE, "two", HERE, READ).read(9n, 0n)[0]), "1");
  for (const name of ["empty", "full", "moved"]) root.createDirectoryAt(name);
  create(root, "full/file");
  root.renameAt("moved/", root, "empty/");
  fails(t, "no-entry", () => root.renameAt("moved", root, "x"));
  fails(t, "not-empty", () => root.renameAt("empty", root, "full"));
  fails(t, "not-directory", () => root.renameAt("empty", root, "two"));
  fails(t, "is-directory", () => root.renameAt("two", root, "empty"));
  fails(t, "invalid", () => root.renameAt("full", root, "full/inner"));
  fails(t, "not-directory", () => root.renameAt("two/", root, "three"));
  fails(t, "not-directory", () => root.renameAt("two", root, "three/"));
  fails(t, "busy", () => root.renameAt(".", root, "three"));
  for (const path of [".", "full/.", "full/.."]) {
    fails(t, "busy", () => root.renameAt("two", root, path), path);
    fails(t, "busy", () => root.renameAt("empty", root, path), path);
  }
  const full = root.openAt(HERE, "full", HERE, READ);
  root.renameAt("two", full, "two");
  t.deepEqual(names(full), ["file:regular-file", "two:regular-file"]);
});

test("hard links: two names of one file; none of folders, none through links", (t) => {
  const { root } = granted(t);
  const file = create(root, "file", "shared");
  root.createDirectoryAt("dir");
  root.linkAt(HERE, "file", root, "dir/twin");
  t.is(file.stat().linkCount, 2n);
  t.true(file.isSameObject(root.openAt(HERE, "dir/twin", HERE, READ)));
  t.false(file.isSameObject(root));
  fails(t, "exist", () => root.linkAt(HERE, "file", root, "dir/twin"));
  fails(t, "no-entry", () => root.linkAt(HERE, "absent", root, "x"));
  fails(t, "not-permitted", () => root.linkAt(HERE, "dir", root, "x"));
  fails(t, "not-permitted", () => root.linkAt(HERE, ".", root, "x"));
  fails(t, "exist", () => root.linkAt(HERE, "dir", root, "file"));
  fails(t, "not-directory", () => root.linkAt(HERE, "file/", root, "x"));
  fails(t, "no-entry", () => root.linkAt(HERE, "file", root, "x/"));
  fails(t, "exist", () => root.linkAt(HERE, "file", root, "dir/"));
  root.symlinkAt("file", "link");
  root.linkAt(HERE, "link", root, "link-twin");
  t.is(root.statAt(HERE, "link-twin").type, "symbolic-link");
  t.throws(() => root.linkAt(FOLLOW, "link", root, "x"), { message: "invalid" });
  root.symlinkAt("dir", "to-dir");
  root.symlinkAt("loop", "loop");
  fails(t, "not-permitted", () => root.linkAt(HERE, "to-dir/", root, "x"));
  fails(t, "not-directory", () => root.linkAt(HERE, "link/", root, "x"));
  fails(t, "loop", () => root.linkAt(HERE, "loop/", root, "x"));
});

test("symlink-at and readlink-at", (t) => {
  const { path, root } = granted(t);
  fails(t, "not-permitted", () => root.symlinkAt("/etc", "link"));
  fails(t, "no-entry", () => root.symlinkAt("", "link"));
  fails(t, "no-entry", () => root.symlinkAt("x", "link/"));
  root.createDirectoryAt("dir");
  create(root, "file");
  fails(t, "exist", () => root.symlinkAt("x", "dir/"));
  fails(t, "exist", () => root.symlinkAt("x", "file"));
  fails(t, "invalid", () => root.readlinkAt("file"));
  fails(t, "invalid", () => root.readlinkAt("dir/"));
  fails(t, "not-directory", () => root.readlinkAt("file/"));
  symlinkSync("/etc", join(path, "absolute"));
  fails(t, "not-permitted", () => root.readlinkAt("absolute"));
});

test("the metadata hash follows the content and does not tell the inode", (t) => {
  const { root } = granted(t);
  const file = create(root, "file", "abc");
  const first = file.metadataHash();
  t.deepEqual(root.metadataHashAt(HERE, "file"), first);
  file.write(Buffer.from("longer"), 0n);
  t.notDeepEqual(file.metadataHash(), first);
  t.is(file.metadataHash().lower, first.lower, "libc's number of the inode stays");
  const other = create(root, "other", "abc");
  t.not(other.metadataHash().lower, first.lower);
  t.not(other.metadataHash().upper, first.upper);
});

test("a file that has no name any more can be used until it is closed", (t) => {
  const { root } = granted(t);
  const file = create(root, "file", "still");
  root.unlinkFileAt("file");
  file.write(Buffer.from("!"), 5n);
  t.is(text(file.read(9n, 0n)[0]), "still!");
  t.is(file.stat().linkCount, 0n);
});

test("a named pipe of the host's makes nobody wait", (t) => {
  const { path, root } = granted(t);
  makePipe(join(path, "pipe"));
  fails(t, "no-such-device", () => root.openAt(HERE, "pipe", HERE, WRITE));
  const pipe = root.openAt(HERE, "pipe", HERE, READ);
  t.is(pipe.getType(), "fifo");
  fails(t, "invalid-seek", () => pipe.read(1n, 0n));
});

test("sync and advise", (t) => {
  const { root } = granted(t);
  const file = create(root, "file", "x");
  for (const descriptor of [file, root]) {
    descriptor.sync();
    descriptor.syncData();
  }
  file.advise(0n, 10n, "sequential");
  fails(t, "bad-descriptor", () => root.advise(0n, 10n, "normal"));
  fails(t, "invalid", () => file.advise(2n ** 64n - 1n, 0n, "normal"));
});

test("no more files open than the limit; a closed one makes room", (t) => {
  const { root } = granted(t);
  const files = Array.from({ length: MAX_OPEN_FILES }, () => create(root, "file"));
  fails(t, "insufficient-memory", () => root.openAt(HERE, "file", HERE, READ));
  fails(t, "insufficient-memory", () => root.readDirectory());
  files[0]?.[Symbol.dispose]();
  t.notThrows(() => root.openAt(HERE, "file", HERE, READ));
});

test("quota: bytes, by whatever way they come", (t) => {
  const { path, root } = granted(t, { maxBytes: 100, maxEntries: 50 });
  const file = create(root, "file", "x".repeat(60));
  file.write(Buffer.alloc(60), 0n);
  fails(t, "quota", () => file.write(Buffer.alloc(41), 60n));
  fails(t, "quota", () => file.write(Buffer.alloc(1), 100n));
  fails(t, "quota", () => file.setSize(101n));
  fails(t, "quota", () => create(root, "second", "x".repeat(41)));
  file.setSize(100n);
  t.is(lstatSync(join(path, "file")).size, 100);
  t.is(lstatSync(join(path, "second")).size, 0);
});

test("quota: what is removed makes room, a file without a name still counts", (t) => {
  const { root } = granted(t, { maxBytes: 100, maxEntries: 50 });
  const file = create(root, "file", "x".repeat(90));
  root.unlinkFileAt("file");
  fails(t, "quota", () => create(root, "second", "x".repeat(11)), "the file is still open");
  file[Symbol.dispose]();
  t.notThrows(() => create(root, "third", "x".repeat(90)));
});

test("quota: each name of a file takes the file's bytes, as the agent's copy of the folder will", (t) => {
  const { path, root } = granted(t, { maxBytes: 100, maxEntries: 50 });
  const file = create(root, "file", "x".repeat(30));
  root.linkAt(HERE, "file", root, "second");
  root.linkAt(HERE, "file", root, "third");
  fails(t, "quota", () => root.linkAt(HERE, "file", root, "fourth"));
  fails(t, "quota", () => file.setSize(34n));
  fails(t, "quota", () => file.write(Buffer.from("x"), 33n));
  file.setSize(33n);
  t.deepEqual(readdirSync(path).sort(), ["file", "second", "third"]);
  root.unlinkFileAt("third");
  t.notThrows(() => file.setSize(50n));
});

test("quota: entries, of each kind", (t) => {
  const { root } = granted(t, { maxBytes: 100, maxEntries: 4 });
  create(root, "file");
  root.createDirectoryAt("dir");
  root.symlinkAt("file", "link");
  root.linkAt(HERE, "file", root, "dir/twin");
  fails(t, "quota", () => create(root, "dir/five"));
  fails(t, "quota", () => root.createDirectoryAt("five"));
  fails(t, "quota", () => root.symlinkAt("file", "five"));
  fails(t, "quota", () => root.linkAt(HERE, "file", root, "five"));
  fails(t, "exist", () => root.createDirectoryAt("dir"));
  t.notThrows(() => create(root, "file"));
  root.renameAt("link", root, "renamed");
  root.unlinkFileAt("renamed");
  t.notThrows(() => create(root, "five"));
});

test("quota: what lay there before counts", (t) => {
  const { path, root } = granted(t, { maxBytes: 100, maxEntries: 3 });
  mkdirSync(join(path, "old"));
  writeFileSync(join(path, "old/file"), "x".repeat(95));
  fails(t, "quota", () => create(root, "new", "x".repeat(6)));
  t.notThrows(() => create(root, "new", "x".repeat(5)));
  fails(t, "quota", () => create(root, "another"));
});

test("quota: folders lie no deeper in each other than the agent can copy", (t) => {
  const { root } = granted(t, { maxBytes: 100, maxEntries: 100 });
  const down = (levels: number) => Array.from({ length: levels }, () => "d").join("/");
  for (let levels = 1; levels <= MAX_FOLDER_DEPTH_LEVELS; levels += 1) root.createDirectoryAt(down(levels));
  fails(t, "quota", () => root.createDirectoryAt(`${down(MAX_FOLDER_DEPTH_LEVELS)}/d`));
  const deepest = root.openAt(HERE, down(MAX_FOLDER_DEPTH_LEVELS), HERE, READ);
  fails(t, "quota", () => deepest.createDirectoryAt("d"));
  root.createDirectoryAt("top");
  fails(t, "quota", () => root.renameAt("d", root, "top/d"));
  t.notThrows(() => root.renameAt("top", root, `${down(MAX_FOLDER_DEPTH_LEVELS - 1)}/top`));
  t.notThrows(() => root.renameAt("d", root, "e"));
});

test("quota: a folder's depth is its own, whatever its name is", (t) => {
  const { path, root } = granted(t, { maxBytes: 1000, maxEntries: 100 });
  const down = (name: string, levels: number) => [name, ...Array(levels - 1).fill("d")].join("/");
  for (let levels = 1; levels <= MAX_FOLDER_DEPTH_LEVELS; levels += 1) {
    root.createDirectoryAt(down("top", levels));
    root.createDirectoryAt(down("ü", levels));
  }
  fails(t, "quota", () => root.renameAt("ü", root, "top/ü"), "it is as deep as may be");
  // Their code points' low bytes are a zero, and "..", beside the granted folder.
  mkdirSync(join(path, "..", ...Array(MAX_FOLDER_DEPTH_LEVELS).fill("deep")), { recursive: true });
  for (const [index, name] of ["Ā", "ĮĮ"].entries()) {
    root.createDirectoryAt(name);
    t.notThrows(() => root.renameAt(name, root, `${down("top", MAX_FOLDER_DEPTH_LEVELS - 1)}/${index}`));
  }
});

/** Bytes of folders on the disk, each beyond a new one's: none where a file system takes back what names have left (tmpfs, btrfs). */
function swollenBytes(path: string): number {
  const folders = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  return [path, ...folders].reduce((sum, folder) => sum + Math.max(0, lstatSync(folder).size - 4096), 0);
}

test("quota: folders that are filled with names and emptied again count with what they still take", (t) => {
  const { path, root } = granted(t, { maxBytes: 64 * 1024, maxEntries: 400 });
  const name = (index: number) => `${"n".repeat(240)}${index}`;
  const fillAndEmpty = (folder: string) => {
    root.createDirectoryAt(folder);
    const made: string[] = [];
    try {
      for (let index = 0; index < 350; index += 1) {
        root.symlinkAt("x", `${folder}/${name(index)}`);
        made.push(`${folder}/${name(index)}`);
      }
    } finally {
      for (const each of made) root.unlinkFileAt(each);
    }
  };
  for (let round = 0; round < 10; round += 1) {
    try {
      fillAndEmpty(`folder${round}`);
    } catch (error) {
      t.is((error as Error).message, "quota");
    }
  }
  t.true(swollenBytes(path) <= 64 * 1024 + 4096);
});

test("quota: what moves from folder to folder counts with the folders that it has swollen", (t) => {
  const { path, root } = granted(t, { maxBytes: 64 * 1024, maxEntries: 400 });
  const name = (index: number) => `${"n".repeat(240)}${index}`;
  const folder = (round: number) => `folder${round}`;
  for (let round = 0; round < 10; round += 1) root.createDirectoryAt(folder(round));
  for (let index = 0; index < 100; index += 1) root.symlinkAt("x", `${folder(0)}/${name(index)}`);
  try {
    for (let round = 1; round < 10; round += 1) {
      for (let index = 0; index < 100; index += 1) {
        root.renameAt(`${folder(round - 1)}/${name(index)}`, root, `${folder(round)}/${name(index)}`);
      }
    }
  } catch (error) {
    t.is((error as Error).message, "quota");
  }
  t.true(swollenBytes(path) <= 64 * 1024 + 4096);
  const [left] = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isSymbolicLink(),
  );
  t.truthy(left);
  if (left !== undefined) root.unlinkFileAt(join(left.parentPath.slice(path.length + 1), left.name));
});

test("quota: a link's text counts", (t) => {
  const { root } = granted(t, { maxBytes: 100, maxEntries: 50 });
  fails(t, "quota", () => root.symlinkAt("x".repeat(101), "long"));
  root.symlinkAt("x".repeat(60), "first");
  fails(t, "quota", () => create(root, "file", "x".repeat(41)));
  fails(t, "quota", () => root.linkAt(HERE, "first", root, "second"));
});

test("quota: beyond it the calls fail, and the limit is reported once", (t) => {
  const { root, limited } = granted(t, { maxBytes: 4, maxEntries: 3 });
  for (const path of ["a", "b"]) fails(t, "quota", () => create(root, path, "12345"));
  t.deepEqual(limited, ["limit/storage"]);
});

const QUOTA = { maxBytes: WRITTEN_BURST_BYTES, maxEntries: 10 };

/** Writes the same bytes over and over, as many as may be written at once. */
function exhaust(root: Descriptor): Descriptor {
  const piece = Buffer.alloc(MAX_STREAM_PIECE_BYTES);
  const file = root.openAt(HERE, "file", CREATE, BOTH);
  for (let left = WRITTEN_BURST_BYTES - WRITTEN_PAGE_BYTES; left > 0; left -= piece.length) {
    file.write(piece.subarray(0, left), 0n);
  }
  return file;
}

test("write rate: what is written over and over waits beyond it, reported once", (t) => {
  // A page takes 4 ms.
  const { root, limited } = granted(t, QUOTA, 1024 ** 2);
  const file = exhaust(root);
  for (let round = 0; round < 3; round += 1) file.write(Buffer.alloc(MAX_STREAM_PIECE_BYTES), 0n);
  t.deepEqual(limited, ["limit/write-rate"]);
});

const CHANGES: Readonly<Record<string, (root: Descriptor, file: Descriptor) => unknown>> = {
  "a folder": (root) => root.createDirectoryAt("folder"),
  "a new file": (root) => root.openAt(HERE, "new", CREATE, BOTH),
  "a file's removal": (root) => root.unlinkFileAt("file"),
  "a new name": (root) => root.renameAt("file", root, "other"),
  "a link": (root) => root.symlinkAt("file", "link"),
  "another size": (_root, file) => file.setSize(1n),
  "a sync": (_root, file) => file.sync(),
  "a sync of the data": (_root, file) => file.syncData(),
};

for (const [what, change] of Object.entries(CHANGES)) {
  test(`write rate: ${what} counts as a page written`, (t) => {
    const { root, limited, stopWhenLimited } = granted(t, QUOTA, 1);
    const file = exhaust(root);
    t.deepEqual(limited, []);
    // It would wait for an hour: the wait is real if a stop ends it.
    stopWhenLimited();
    t.throws(() => change(root, file), { name: "ModuleOver" });
    t.deepEqual(limited, ["limit/write-rate"]);
  });
}

test("write rate: a folder without a quota has none", (t) => {
  const { root, limited } = granted(t, undefined, 1);
  exhaust(root).write(Buffer.alloc(MAX_STREAM_PIECE_BYTES), 0n);
  t.deepEqual(limited, []);
});

test("two folders with quotas: nothing moves from one to the other", (t) => {
  const limited = granted(t, { maxBytes: 100, maxEntries: 3 });
  const other = granted(t);
  create(other.root, "file", "x".repeat(1000));
  fails(t, "cross-device", () => other.root.renameAt("file", limited.root, "file"));
  fails(t, "cross-device", () => other.root.linkAt(HERE, "file", limited.root, "file"));
});

test("every folder is there again each time it is asked for", (t) => {
  const { root } = granted(t);
  root[Symbol.dispose]();
  t.notThrows(() => create(root, "file"));
});
