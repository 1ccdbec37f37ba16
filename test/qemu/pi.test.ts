/**
 * Debian 13 with systemd on an emulated 64-bit machine with 512 MB, Skerry from its own package: what a device's owner and its surroundings do to it. One machine
 * for all tests, in their order.
 */
import { readFile } from "node:fs/promises";
import test from "ava";
import { VERSION } from "../../agent/version.ts";
import { startRoomMeter } from "../../examples/modbus-js/meter.ts";
import { FREE_SPACE_RESERVE_BYTES, MAX_CHUNK_BYTES } from "../../ota/limits.ts";
import { enrol } from "../../qemu/pi/device.ts";
import { plugAdapter, unplugAdapter } from "../../qemu/pi/machine.ts";
import { PiDevice } from "../../qemu/pi/tested-device.ts";
import { chunkDigests, release, steady, steadyOfChunks, steadyThen } from "../agent/e2e/releases.ts";
import type { TestRelease } from "../support/releases.ts";

const OLDER = "0.0.9";
/** systemd-analyze counts in tenths. */
const MAX_EXPOSURE_TENTHS = 20;
const TRIAL = { window: "5s" };
const CHUNKS = 12;
/** So many of them are on the broker when the download is held up. */
const FIRST_CHUNKS = 5;
/** Of an update that does not fit where the versions before it gave way, either. */
const MANY_CHUNKS = 40;
const EXAMPLE = new URL("../../examples/modbus-js/", import.meta.url);

let device: PiDevice;

test.before(async (t) => {
  t.timeout(3_600_000, "the machine's system is made the first time");
  device = await PiDevice.create((line) => t.log(line));
});

test.after.always(async () => {
  await device[Symbol.asyncDispose]();
});

test.serial("the package is installed, the device enrolled, and a signed module runs", async (t) => {
  const { shell } = device.machine;
  await shell.check(`apt-get install -y ${await device.bringPackage(OLDER)}`);
  t.is(await device.service("ActiveState"), "inactive");
  await enrol(device.machine, device.rig);
  await shell.check("systemctl start skerry");
  await device.install(await steady("1.0.0", TRIAL));
  await device.flows("1.0.0");
  t.is(await device.service("User"), "skerry");
  t.is(await shell.check("stat -c %U /var/lib/skerry"), "skerry");
});

test.serial(
  "the service's exposure, as systemd-analyze rates it where it runs, is 2.0 at most",
  async (t) => {
    const rate = `systemd-analyze security --no-pager --threshold=${MAX_EXPOSURE_TENTHS} skerry.service`;
    const { code, output } = await device.machine.shell.run(rate);
    t.log(/Overall exposure.*/.exec(output)?.[0]);
    t.is(code, 0, output);
  },
);

test.serial("an agent that is stopped by a signal gives no sign of life and is started anew", async (t) => {
  await device.configureService("WatchdogSec=20s");
  await device.flows("1.0.0");
  const before = await device.service("MainPID");
  await device.machine.shell.check("systemctl kill --signal=STOP --kill-whom=main skerry");
  await device.until("systemctl show -P NRestarts skerry", (restarts) => restarts === "1");
  await device.flows("1.0.0");
  t.not(await device.service("MainPID"), before);
  t.regex(await device.log(), /Watchdog timeout/);
});

test.serial("a version that takes the agent with it in each start of its trial is rolled back", async (t) => {
  // More memory than the owner lets the service have is the kernel's reason to kill the process.
  await device.configureService("MemoryMax=160M");
  const eat = `(loop $eat
    (local.set $rounds (memory.grow (i32.const 16)))
    (if (i32.eq (local.get $rounds) (i32.const -1)) (then unreachable))
    (memory.fill (i32.shl (local.get $rounds) (i32.const 16)) (i32.const 1) (i32.const 1048576))
    (br $eat))`;
  const hungry = await steadyThen(20, "1.1.0", eat, { window: "60s", memory: "256MiB" });
  try {
    const from = device.events.count;
    await device.offer(hungry);
    const end = await device.outcome(hungry, from);
    t.like(end, { event: "rolled-back", code: "trial/crashed-agent", to: "1.0.0" });
    const log = await device.log(1_000);
    // What was told of a start may be lost with the agent; none beyond the third may be told.
    const starts = device.events.all
      .slice(from)
      .filter(({ event, version }) => event === "trial" && version === "1.1.0");
    t.true(
      starts.every(({ message = "" }) => /^start [1-3] of at most 3$/.test(message)),
      log,
    );
    // Each of them ended it. On a slow and busy host it was started five times in all, once; why is not known.
    t.true((log.match(/Failed with result 'oom-kill'/g)?.length ?? 0) >= 3, log);
    await device.flows("1.0.0");
  } finally {
    await device.configureService("");
  }
});

test.serial("the package is upgraded in the middle of a download, which is then finished", async (t) => {
  const made = await steadyOfChunks(CHUNKS, "1.2.0", TRIAL);
  const late = new Set(chunkDigests(made).slice(FIRST_CHUNKS));
  const [missing, there] = [partOf(made, late, true), partOf(made, late, false)];
  const from = device.events.count;
  await device.offer(made, there);
  await device.events.until(
    "the first chunks",
    ({ event, received }) => event === "progress" && received === FIRST_CHUNKS * MAX_CHUNK_BYTES,
    from,
  );
  const before = await device.service("MainPID");
  await device.machine.shell.check(`apt-get install -y ${await device.bringPackage(VERSION)}`);
  t.is(await device.machine.shell.check("dpkg-query --show skerry"), `skerry\t${VERSION}`);
  t.not(await device.service("MainPID"), before);
  await device.flows("1.0.0");
  await device.putBlobs(missing);
  const end = await device.outcome(made, from);
  t.is(end.event, "committed", end.message);
  await device.flows("1.2.0");
});

test.serial("the package is upgraded in the middle of a trial, which is then finished", async (t) => {
  const made = await steady("1.3.0", { window: "30s" });
  const from = device.events.count;
  await device.offer(made);
  await device.events.until(
    "the trial",
    ({ event, version }) => event === "trial" && version === "1.3.0",
    from,
  );
  await device.machine.shell.check(`dpkg -i ${await device.bringPackage(`${VERSION}+1`)}`);
  const end = await device.outcome(made, from);
  t.is(end.event, "committed", end.message);
  t.is(device.events.all.slice(from).filter(({ event }) => event === "trial").length, 2);
  await device.flows("1.3.0");
});

test.serial(
  "an unplugged serial adapter is an error to its module alone; plugged in again, it works",
  async (t) => {
    const topic = "telemetry/acme.modbus/room";
    const meter = await startRoomMeter(await device.machine.modulePort(), () => [214, 480]);
    t.teardown(() => meter.close());
    const manifest = (await readFile(new URL("module.toml", EXAMPLE), "utf8")).replace(
      /window = .*/,
      'window = "20s"',
    );
    const component = await readFile(new URL("modbus-1.0.0.wasm", EXAMPLE));
    await device.install(release("1.0.0", component, { module: "acme/modbus", manifest }));
    const room = JSON.stringify({ temperature: 21.4, humidity: 48 });
    await device.flows(room, topic);
    const agent = await device.service("MainPID");

    await unplugAdapter(device.machine);
    const complaint = await device.until(
      "journalctl -q -u skerry -o cat -g plugged",
      (lines) => lines !== "",
    );
    t.regex(complaint, /^serial port modbus0 .*plugged.* module=acme\/modbus/m);
    await device.flows("1.3.0");
    await plugAdapter(device.machine);
    await device.flows(room, topic);
    t.is(await device.service("MainPID"), agent);
  },
);

test.serial(
  "a full disk refuses an update by name; what ran runs on, and the update follows when there is room",
  async (t) => {
    const { shell } = device.machine;
    const made = await steadyOfChunks(MANY_CHUNKS, "1.4.0", TRIAL);
    const from = device.events.count;
    const room = FREE_SPACE_RESERVE_BYTES + MAX_CHUNK_BYTES;
    await shell.check(`fallocate -l $(($(df --output=avail -B1 / | tail -n 1) - ${room})) /ballast`);
    await device.offer(made);
    t.like(await device.outcome(made, from), { event: "refused", code: "store/disk-full" });
    await device.flows("1.3.0");
    const freed = device.events.count;
    await shell.check("rm /ballast");
    const end = await device.outcome(made, freed);
    t.is(end.event, "committed", end.message);
    await device.flows("1.4.0");
  },
);

test.serial("booted in 1970, what was committed runs, and updates work", async (t) => {
  await device.restart({ clock: "1970-01-01T01:00:00" }, (line) => t.log(line));
  await device.flows("1.4.0");
  await device.install(await steady("1.5.0", TRIAL));
  await device.flows("1.5.0");
  t.regex(await device.machine.shell.check("date -u +%FT%T"), /^1970-01-01T/);
});

/** The release's blobs that are among `digests`, or that are not. */
function partOf(
  { blobs }: TestRelease,
  digests: ReadonlySet<string>,
  isAmong: boolean,
): Map<string, Uint8Array> {
  return new Map([...blobs].filter(([digest]) => digests.has(digest) === isAmong));
}
