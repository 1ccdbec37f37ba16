import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { readWhole, withFile, writeDurably } from "../../ota/durable-file.ts";
import { OtaError } from "../../ota/errors.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { temporaryFolder } from "../support/folders.ts";
import { recordSyncs } from "../support/synced-paths.ts";

const disk = createNodeDisk();
const BYTES = new TextEncoder().encode("contents");

test("a full disk is store/disk-full and says what to do", async (t) => {
  // The kernel's own full disk.
  const error = await t.throwsAsync(
    withFile(disk, "/dev/full", "update", (file) => file.write(BYTES, 0)),
    { instanceOf: OtaError },
  );
  t.is(error?.code, "store/disk-full");
  t.regex(error?.message ?? "", /no space left for \/dev\/full: free some/);
});

test("any other failure is store/io with the system's error as its cause", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "file"), "");
  const error = await t.throwsAsync(disk.makeDirectory(join(folder, "file", "inner")), {
    instanceOf: OtaError,
  });
  t.is(error?.code, "store/io");
  t.true(error?.cause instanceof Error);
});

test("reads and writes go to positions; a read at the end is short", async (t) => {
  const path = join(await temporaryFolder(t), "file");
  await withFile(disk, path, "update", async (file) => {
    await file.write(BYTES, 4);
    const target = new Uint8Array(20);
    t.is(await file.read(target, 0), 12);
    t.deepEqual(target.subarray(0, 12), new Uint8Array([0, 0, 0, 0, ...BYTES]));
    t.is(await file.read(target, 12), 0);
    await file.truncate(4);
    await file.sync();
  });
  t.deepEqual(await disk.entry(path), { kind: "file", sizeBytes: 4 });
});

test("what is synced is synced by the kernel: the file under its unfinished name, then its folder", async (t) => {
  const folder = await temporaryFolder(t);
  const synced = await recordSyncs(t, folder);
  await writeDurably(disk, join(folder, "file"), BYTES);
  t.deepEqual(synced, ["file.new", ""]);
});

test("update keeps what is there, create empties it, read does not make a file", async (t) => {
  const path = join(await temporaryFolder(t), "file");
  await t.throwsAsync(disk.open(path, "read"), { code: "store/io" });
  await writeFile(path, "old");
  await withFile(disk, path, "update", () => Promise.resolve());
  t.is(await readFile(path, "utf8"), "old");
  await withFile(disk, path, "create", () => Promise.resolve());
  t.is(await readFile(path, "utf8"), "");
});

test("links are not followed", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "secret"), "secret");
  await symlink(join(folder, "secret"), join(folder, "link"));
  t.is((await disk.entry(join(folder, "link")))?.kind, "other");
  await t.throwsAsync(disk.open(join(folder, "link"), "read"), { code: "store/io" });
  await t.throwsAsync(disk.open(join(folder, "link"), "update"), { code: "store/io" });
});

test("what is not there is an absent entry and an empty list, and can be removed", async (t) => {
  const path = join(await temporaryFolder(t), "nothing");
  t.is(await disk.entry(path), undefined);
  t.deepEqual(await disk.list(path), []);
  await t.notThrowsAsync(disk.remove(path));
});

test("folders and files are the agent's alone", async (t) => {
  const folder = await temporaryFolder(t);
  await disk.makeDirectory(join(folder, "a"));
  await disk.makeDirectory(join(folder, "a", "b"));
  await t.notThrowsAsync(disk.makeDirectory(join(folder, "a", "b")), "one that is there is fine");
  await writeDurably(disk, join(folder, "a", "b", "file"), BYTES);
  t.is((await stat(join(folder, "a"))).mode & 0o777, 0o700);
  t.is((await stat(join(folder, "a", "b", "file"))).mode & 0o777, 0o600);
});

test("free space is told where the path lies", async (t) => {
  t.true((await disk.freeBytes(await temporaryFolder(t))) > 0);
});

test("a durable write replaces the file and leaves nothing beside it", async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, "file");
  await writeFile(path, "a longer text than the one that follows");
  await writeDurably(disk, path, BYTES);
  t.deepEqual(await readWhole(disk, path, 100), BYTES);
  t.deepEqual(await disk.list(folder), ["file"]);
});

test("a whole read is bounded and takes files only", async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, "file");
  t.is(await readWhole(disk, path, 100), undefined);
  await writeFile(path, BYTES);
  await t.throwsAsync(readWhole(disk, path, 7), { code: "store/corrupt" });
  await mkdir(join(folder, "folder"));
  await t.throwsAsync(readWhole(disk, join(folder, "folder"), 100), { code: "store/corrupt" });
});
