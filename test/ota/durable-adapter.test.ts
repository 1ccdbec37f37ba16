import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Low } from "lowdb";
import type { Disk } from "../../ota/disk.ts";
import { DurableAdapter } from "../../ota/durable-adapter.ts";
import { OtaError } from "../../ota/errors.ts";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { isObject } from "../../ota/release.ts";
import { CuttingDisk, PowerCut } from "../support/cutting-disk.ts";
import { temporaryFolder } from "../support/folders.ts";

type Counted = { readonly schema: number; readonly value: number };

const EMPTY: Counted = { schema: 1, value: 0 };

function adapterFor(
  directory: string,
  disk: Disk = createNodeDisk(),
  damages: string[] = [],
): DurableAdapter<Counted> {
  return new DurableAdapter<Counted>({
    disk,
    directory,
    schema: 1,
    parse: (data) => {
      const value = isObject(data) ? data["value"] : undefined;
      return typeof value === "number" ? { schema: 1, value } : undefined;
    },
    onDamage: (message) => damages.push(message),
  });
}

async function write(directory: string, ...values: number[]): Promise<void> {
  const database = new Low(adapterFor(directory), EMPTY);
  await database.read();
  for (const value of values) {
    database.data = { schema: 1, value };
    await database.write();
  }
}

async function read(directory: string): Promise<number | undefined> {
  return (await adapterFor(directory).read())?.value;
}

/** The slot that the last of some writes went to: the first write goes to slot 0. */
function newestSlot(directory: string, writes: number): string {
  return join(directory, `state.${(writes + 1) % 2}.json`);
}

test("a folder without state is a first start", async (t) => {
  t.is(await read(await temporaryFolder(t)), undefined);
});

test("what was written last is read, and the generation before it is kept", async (t) => {
  const folder = await temporaryFolder(t);
  await write(folder, 1, 2, 3);
  t.is(await read(folder), 3);
  await rm(newestSlot(folder, 3));
  t.is(await read(folder), 2);
});

test("writing goes on from what another process wrote", async (t) => {
  const folder = await temporaryFolder(t);
  await write(folder, 1, 2);
  await write(folder, 3);
  t.is(await read(folder), 3);
  await rm(newestSlot(folder, 3));
  t.is(await read(folder), 2);
});

for (const [what, damage] of [
  ["empty", (path: string) => writeFile(path, "")],
  ["truncated", (path: string) => truncate(path, 40)],
  ["zeroed", async (path: string) => writeFile(path, new Uint8Array((await readFile(path)).length))],
  [
    "altered",
    async (path: string) => writeFile(path, (await readFile(path, "utf8")).replace('"value":2', '"value":7')),
  ],
  [
    "given a higher counter",
    async (path: string) =>
      writeFile(path, (await readFile(path, "utf8")).replace('"counter":2', '"counter":9')),
  ],
  ["not JSON", (path: string) => writeFile(path, "state")],
  ["over its bound", (path: string) => truncate(path, 64 * 1024 * 1024)],
  ["a folder", (path: string) => rm(path).then(() => mkdir(path))],
] as const) {
  test(`a newest generation that is ${what} is passed over for the other one, and said so`, async (t) => {
    const folder = await temporaryFolder(t);
    await write(folder, 1, 2);
    await damage(newestSlot(folder, 2));
    const damages: string[] = [];
    t.is((await adapterFor(folder, createNodeDisk(), damages).read())?.value, 1);
    t.regex(damages.join(), /state\.1\.json .*the other generation holds/);
  });

  test(`two generations that are ${what} are put aside, and said so: it starts empty`, async (t) => {
    const folder = await temporaryFolder(t);
    await write(folder, 2, 2);
    await writeFile(join(folder, "state.0.json"), "");
    await damage(join(folder, "state.1.json"));
    const damages: string[] = [];
    t.is(await adapterFor(folder, createNodeDisk(), damages).read(), null);
    t.regex(damages.join(), /^the agent's state is lost: .*state\.0\.json is damaged.*state\.1\.json/);
    t.deepEqual((await readdir(folder)).sort(), ["state.0.json.damaged", "state.1.json.damaged"]);
    await write(folder, 5);
    t.is(await read(folder), 5);
  });
}

test("the only generation being damaged is told, not taken for a first start; files of an earlier damage are replaced", async (t) => {
  const folder = await temporaryFolder(t);
  for (const text of ["first", "second"]) {
    await writeFile(join(folder, "state.0.json"), text);
    const damages: string[] = [];
    t.is(await adapterFor(folder, createNodeDisk(), damages).read(), null);
    t.is(damages.length, 1);
    t.is(await readFile(join(folder, "state.0.json.damaged"), "utf8"), text);
  }
});

test("a state of a newer agent is refused, not replaced by an older generation", async (t) => {
  const folder = await temporaryFolder(t);
  const newer = new DurableAdapter({
    disk: createNodeDisk(),
    directory: folder,
    schema: 2,
    parse: () => EMPTY,
  });
  await newer.read();
  await newer.write({ schema: 1, value: 1 });
  await newer.write({ schema: 2, value: 2 });
  const error = await t.throwsAsync(read(folder), { instanceOf: OtaError });
  t.is(error?.code, "store/newer-version");
});

test("a state that is intact and not the format is refused", async (t) => {
  const folder = await temporaryFolder(t);
  const other = new DurableAdapter<{ schema: number }>({
    disk: createNodeDisk(),
    directory: folder,
    schema: 1,
    parse: () => EMPTY,
  });
  await other.read();
  await other.write({ schema: 1 });
  await t.throwsAsync(read(folder), { code: "store/corrupt" });
});

test("a write is: a new file, its sync, the rename, the sync of the folder", async (t) => {
  const folder = await temporaryFolder(t);
  await write(folder, 1);
  const disk = new CuttingDisk(createNodeDisk());
  const adapter = adapterFor(folder, disk.asDisk());
  await adapter.read();
  await adapter.write({ schema: 1, value: 2 });
  t.deepEqual(disk.log, [
    "create state.1.json.new",
    "write state.1.json.new",
    "sync state.1.json.new",
    "rename state.1.json",
    `syncDirectory ${folder.split("/").at(-1)}`,
  ]);
});

/** Cuts the power at every change of a write in turn; what is read afterwards has to be one of `allowed`. */
async function cutEverywhere(
  t: ExecutionContext,
  before: readonly number[],
  allowed: readonly (number | undefined)[],
): Promise<void> {
  for (let changes = 0; changes < 5; changes++) {
    const folder = await temporaryFolder(t);
    await write(folder, ...before);
    const adapter = adapterFor(folder, new CuttingDisk(createNodeDisk(), changes).asDisk());
    await adapter.read();
    await t.throwsAsync(adapter.write({ schema: 1, value: 9 }), { instanceOf: PowerCut });
    t.true(allowed.includes(await read(folder)), `cut at change ${changes}`);
    await write(folder, 10);
    t.is(await read(folder), 10, "the next write works");
  }
}

test("power lost at any step of the first write leaves none or the first", (t) =>
  cutEverywhere(t, [], [undefined, 9]));

test("power lost at any step of a later write leaves the old or the new", (t) =>
  cutEverywhere(t, [1, 2, 3], [3, 9]));

test("a failed write leaves the adapter on the generation that stands", async (t) => {
  const folder = await temporaryFolder(t);
  let isFull = false;
  const real = createNodeDisk();
  const disk: Disk = {
    ...real,
    open: (path, mode) =>
      isFull && mode === "create"
        ? Promise.reject(new OtaError("store/disk-full", "no space left"))
        : real.open(path, mode),
  };
  const adapter = adapterFor(folder, disk);
  await adapter.read();
  await adapter.write({ schema: 1, value: 1 });
  isFull = true;
  await t.throwsAsync(adapter.write({ schema: 1, value: 2 }), { code: "store/disk-full" });
  t.is(await read(folder), 1);
  isFull = false;
  await adapter.write({ schema: 1, value: 3 });
  t.is(await read(folder), 3);
  await rm(newestSlot(folder, 2));
  t.is(await read(folder), 1);
});
