/**
 * Power cuts at random moments of updates: each time the machine must boot, run the old or the new version, and finish the update by itself.
 *
 * The moments come from a seed. They lie between the beginning of an update and a little after the time that an update without a cut takes, measured first
 * in the same run, so they fall on every part of it on a host of any speed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { CRASH_LOOP_RUNS } from "../../agent/limits.ts";
import { Random } from "../../test/fuzz/random.ts";
import { diagnosis } from "./device.ts";
import { TinyDevice, thermo } from "./tested-device.ts";

const MODULE = "acme/thermo";
const TELEMETRY = "telemetry/acme.thermo/temperature";
/** Beyond the end of an update without a cut, as a part of its time. */
const BEYOND = 1.1;
/** After as many unclean ends in a row modules start a minute later; one fewer, and the agent is stopped as it should be. */
const CUTS_IN_A_ROW = CRASH_LOOP_RUNS - 1;

export interface PowerCutOptions {
  readonly cuts: number;
  readonly seed: number;
  readonly note: (line: string) => void;
}

/**
 * Cuts the power so many times.
 *
 * @throws Error that names the cut if the machine does not come back with the new version
 */
export async function cutPowerRepeatedly({ cuts, seed, note }: PowerCutOptions): Promise<void> {
  await using device = await TinyDevice.create(note);
  await device.install(thermo("1.0.0"), MODULE);
  const began = performance.now();
  await device.install(thermo("1.0.1"), MODULE);
  const updateMs = performance.now() - began;
  note(`seed ${seed}; an update without a cut takes ${(updateMs / 1000).toFixed(1)} s here`);
  for (let cut = 1; cut <= cuts; cut += 1) {
    const version = `1.1.${cut}`;
    const afterMs = new Random(seed, cut).below(updateMs * BEYOND);
    const reached = await cutDuring(device, version, afterMs);
    await finish(device, version, cut).catch(async (error: unknown) => {
      const seen = await diagnosis(device.machine);
      throw new Error(`cut ${cut}, after "${reached}": ${String(error)}\n${seen}`, { cause: error });
    });
    note(
      `cut ${cut} of ${cuts}: ${(afterMs / 1000).toFixed(1)} s into the update, after "${reached}": finished`,
    );
    if (cut < cuts && cut % CUTS_IN_A_ROW === 0) {
      await device.restartAgent(MODULE, version);
      await device.flows(TELEMETRY);
    }
  }
}

/** Offers a version and takes the power away so long after; resolves to the last event of the update that was seen before. */
async function cutDuring(device: TinyDevice, version: string, afterMs: number): Promise<string> {
  const from = device.events.count;
  await device.offer(thermo(version));
  await delay(afterMs);
  await device.machine.cutPower();
  const seen = device.events.all.slice(from).filter((event) => event.version === version);
  return seen.at(-1)?.event ?? "nothing";
}

/** Boots it and waits until the version runs; between, the old one may have. */
async function finish(device: TinyDevice, version: string, cut: number): Promise<void> {
  const from = device.events.count;
  const wasCommitted = device.events.all.some(
    (event) => event.event === "committed" && event.version === version,
  );
  await device.boot();
  if (!wasCommitted) {
    const end = await Promise.race([
      device.outcome(MODULE, version, from),
      // Committed in the last moment before the cut: nothing is left to do, and its event is lost.
      device.running(MODULE, version),
    ]);
    if (end !== undefined && end.event !== "committed") {
      throw new Error(`cut ${cut}: ${version} ended as ${JSON.stringify(end)}`);
    }
  }
  await device.flows(TELEMETRY);
}
