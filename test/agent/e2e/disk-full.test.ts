/**
 * A full disk: the state folder on a small file system of its own, which takes root to mount. Elsewhere these tests are left out with a
 * line that says so (in CI they have to run).
 */
import { execFile } from "node:child_process";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import anyTest, { type ExecutionContext } from "ava";
import { FREE_SPACE_RESERVE_BYTES, MAX_CHUNK_BYTES } from "../../../ota/limits.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { requireTool } from "../../support/tools.ts";
import { Device, startGuardedBroker } from "./harness.ts";
import { chunkDigests, steady, steadyOfChunks } from "./releases.ts";

const test = anyTest.serial;
const run = promisify(execFile);
const SIZE_BYTES = 3 * FREE_SPACE_RESERVE_BYTES;
const CHUNKS = 4;

test("store/disk-full: no room for an update: 1.0.0 runs on, and the update follows when there is room", async (t) => {
  const device = await deviceOnSmallDisk(t);
  if (device === undefined) return;
  const ballast = await fillUpTo(device, FREE_SPACE_RESERVE_BYTES + MAX_CHUNK_BYTES);
  await device.offer(await steadyOfChunks(CHUNKS, "1.1.0"));
  const refused = await device.event("refused", "1.1.0");
  t.like(refused, { code: "store/disk-full", module: "acme/thermo" });
  t.regex(refused.message ?? "", /needs .* are free/);
  await device.expectServing(t, "1.0.0");
  await rm(ballast);
  await device.event("committed", "1.1.0");
  await device.expectServing(t, "1.1.0");
});

test("store/disk-full: the disk fills up in the middle of a download: what came is kept", async (t) => {
  const device = await deviceOnSmallDisk(t);
  if (device === undefined) return;
  const made = await steadyOfChunks(CHUNKS, "1.1.0");
  const last = chunkDigests(made).slice(1);
  await device.offer(
    made,
    [...made.blobs].filter(([digest]) => !last.includes(digest)),
  );
  await device.events.until("the first chunk", ({ event, received }) => {
    return event === "progress" && received === MAX_CHUNK_BYTES;
  });
  const ballast = await fillUpTo(device, 0);
  await device.putBlobs(made.blobs);
  t.like(await device.event("refused", "1.1.0"), { code: "store/disk-full" });
  await device.expectServing(t, "1.0.0");
  await rm(ballast);
  const from = device.events.count;
  await device.event("committed", "1.1.0", { from });
  await device.expectServing(t, "1.1.0");
});

test("a trial that ends well is not committed while that can't be written down", async (t) => {
  const device = await deviceOnSmallDisk(t);
  if (device === undefined) return;
  await device.offer(await steady("1.1.0", { window: "1s" }));
  await device.event("trial", "1.1.0");
  const ballast = await fillUpTo(device, 0);
  // It publishes ten times a second: by then its window is over.
  await device.telemetry.untilSeveral(
    25,
    "telemetry of 1.1.0",
    ({ payload }) => payload === "1.1.0",
    device.telemetry.count,
  );
  t.false(device.events.all.some(({ event, version }) => event === "committed" && version === "1.1.0"));
  t.like(await device.untilState("the trial", ({ trial }) => trial === "1.1.0"), { phase: "trial" });
  await rm(ballast);
  await device.event("committed", "1.1.0");
  await device.expectServing(t, "1.1.0");
});

/** A device with 1.0.0 committed; undefined where the test has to be left out. */
async function deviceOnSmallDisk(t: ExecutionContext): Promise<Device | undefined> {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return undefined;
  const stateDir = await mountSmallDisk(t);
  if (stateDir === undefined) return undefined;
  const broker = await startGuardedBroker();
  t.teardown(broker.mosquitto.dispose);
  const device = await Device.create(broker, { stateDir });
  t.teardown(() => device.close());
  await device.start();
  await device.install(await steady("1.0.0"));
  return device;
}

/** A tmpfs for the length of the test. ava runs teardowns backwards: the device is gone before it. */
async function mountSmallDisk(t: ExecutionContext): Promise<string | undefined> {
  const folder = join(await temporaryFolder(t), "state");
  await mkdir(folder);
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${SIZE_BYTES},mode=700`, "tmpfs", folder]);
  } catch (error) {
    const why = error instanceof Error ? error.message.trim() : String(error);
    const line = `left out: a small file system can't be mounted here (${why})`;
    if ((process.env["CI"] ?? "") === "") {
      t.log(line);
      t.pass(line);
    } else {
      t.fail(`${line}; in CI every test has to run`);
    }
    return undefined;
  }
  t.teardown(() => run("umount", [folder]));
  return folder;
}

/** Fills the disk until so many bytes are left; gives the file that has to go for room. */
async function fillUpTo(device: Device, freeBytes: number): Promise<string> {
  const { stateDir } = device.rig;
  const path = join(stateDir, "ballast");
  const { bavail, bsize } = await statfs(stateDir);
  await writeFile(path, Buffer.alloc(bavail * bsize - freeBytes));
  return path;
}
