/**
 * What updates cost the line and the flash, measured on the built agent behind a line that counts, with Mosquitto as its broker:
 *
 * - one changed function in a component of 1.6 MB (the QuickJS of examples/modbus-js): bytes fetched, MQTT's own included, and written
 * - a refresh of the metadata with nothing new: bytes on the line, and signatures that are checked
 * - a download of 16 MiB that nothing compresses, against `mosquitto_sub` receiving the same messages and doing nothing with them
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ExampleRelease } from "../demo/rig.ts";
import { changeFunction } from "./changed-function.ts";
import { type CountedLine, startCountedLine } from "./counted-line.ts";
import { measureDownload } from "./download.ts";
import { type MeasuredFleet, withMeasuredFleet } from "./measured-fleet.ts";
import { largeChunkDelta, patchBytes } from "./other-deltas.ts";
import { bytesWritten } from "./process-memory.ts";
import { countSignatureChecks } from "./refresh-checks.ts";
import { atLeast, atMost, type Figure, plain } from "./report.ts";

const GOAL_FETCHED_PERCENT = 15;
const GOAL_WRITTEN = 1.3;
const GOAL_THROUGHPUT = 0.7;
/** Without a byte for this long a line is at rest, in milliseconds. */
const LINE_SETTLE_MS = 1_500;

const COMPONENT = fileURLToPath(new URL("../examples/modbus-js/modbus-1.0.0.wasm", import.meta.url));
const MODBUS: ExampleRelease = {
  component: COMPONENT,
  manifest: "modbus-js/module.toml",
  version: "1.0.0",
  changes: { window: '"1s"', require: '["alive"]' },
};

export async function measureOta(note: (line: string) => void): Promise<Figure[]> {
  return withMeasuredFleet(note, async (fleet, brokerUrl) => {
    const line = await startCountedLine(brokerUrl);
    try {
      await lead(fleet, brokerUrl, line.url);
      note("one changed function …");
      const update = await measureUpdate(fleet, line);
      note("a refresh with nothing new …");
      const refresh = await measureRefresh(line);
      const checks = await countSignatureChecks(fleet.rig);
      note("a download against mosquitto_sub …");
      // Past the line, which is slower than the broker.
      await lead(fleet, line.url, brokerUrl);
      const download = await measureDownload(fleet, brokerUrl, note);
      return [
        ...update,
        plain("metadata refresh, nothing new: bytes received", refresh, "bytes"),
        atMost(
          "metadata refresh, nothing new: signatures checked",
          checks.nothingNew,
          0,
          "checks",
          `a new device: ${checks.fromNothing}`,
        ),
        ...download.map(({ name, ratio, against }) => atLeast(name, ratio, GOAL_THROUGHPUT, "×", against)),
      ];
    } finally {
      line.dispose();
    }
  });
}

/** Starts the agent with another way to the broker. */
async function lead(fleet: MeasuredFleet, from: string, to: string): Promise<void> {
  const { rig } = fleet;
  await rig.stopAgent();
  const text = await readFile(rig.deviceToml, "utf8");
  await writeFile(rig.deviceToml, text.replace(`url = "${from}"`, `url = "${to}"`));
  await rig.startAgent();
}

async function measureUpdate(fleet: MeasuredFleet, line: CountedLine): Promise<Figure[]> {
  const old = await readFile(COMPONENT);
  const next = changeFunction(old);
  const changed = join(fleet.rig.folder, "changed.wasm");
  await writeFile(changed, next);
  const first = await measureInstall(fleet, line, MODBUS);
  const update = await measureInstall(fleet, line, { ...MODBUS, component: changed, version: "1.0.1" });
  const percent = (bytes: number): number => (100 * bytes) / next.length;
  const large = largeChunkDelta(old, next);
  const patch = await patchBytes(old, next);
  const whole = `the whole: ${next.length} bytes`;
  return [
    atMost(
      "one changed function: fetched",
      percent(update.received),
      GOAL_FETCHED_PERCENT,
      "% of the component",
      `${update.received} bytes; ${whole}`,
    ),
    plain(
      "  a device that has nothing",
      percent(first.received),
      "% of the component",
      `${first.received} bytes`,
    ),
    plain(
      "  in chunks of 64 KiB, as they are",
      percent(large.bytes),
      "% of the component",
      `${large.bytes} bytes`,
    ),
    plain(
      "  in chunks of 64 KiB, zstd",
      percent(large.compressedBytes),
      "% of the component",
      `${large.compressedBytes} bytes`,
    ),
    ...(patch === undefined
      ? []
      : [plain("  zstd --patch-from, the limit", percent(patch), "% of the component", `${patch} bytes`)]),
    atMost(
      "written per byte of the update, state included",
      update.written / next.length,
      GOAL_WRITTEN,
      "×",
      "disk and sockets",
    ),
    plain("  the same for a first version", first.written / old.length, "×"),
  ];
}

interface InstallFigures {
  /** Bytes that the device received. */
  readonly received: number;
  /** Bytes that it wrote. */
  readonly written: number;
}

async function measureInstall(
  fleet: MeasuredFleet,
  line: CountedLine,
  release: ExampleRelease,
): Promise<InstallFigures> {
  await settled(line);
  const before = { received: line.receivedBytes, written: await bytesWritten(fleet.rig.agentPid) };
  await fleet.install(release);
  await settled(line);
  return {
    received: line.receivedBytes - before.received,
    written: (await bytesWritten(fleet.rig.agentPid)) - before.written,
  };
}

/** The device connects anew and asks for all metadata; its bytes, those of connecting among them. */
async function measureRefresh(line: CountedLine): Promise<number> {
  await settled(line);
  const before = line.receivedBytes;
  line.cut();
  while (line.receivedBytes === before) await delay(100);
  await settled(line);
  return line.receivedBytes - before;
}

async function settled(line: CountedLine): Promise<void> {
  for (let seen = -1; seen !== line.receivedBytes; ) {
    seen = line.receivedBytes;
    await delay(LINE_SETTLE_MS);
  }
}
