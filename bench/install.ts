/**
 * What an update costs a device while it runs: the built agent, with the settings of its packages and thermo 1.0.0 running, gets a
 * release of 16 MiB through Mosquitto, then one of 64 MiB, the largest there may be. Both are the C example with a custom section of random bytes behind it, so that they
 * are valid components that run. Anonymous memory is read every 10 ms from publishing until the release is committed; growth is its
 * peak over what the agent held at rest before. Last, twenty small updates in a row: what is left of them when the agent rests again.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type MeasuredFleet, SMALL_DEVICE, THERMO, withMeasuredFleet } from "./measured-fleet.ts";
import { componentOfSize } from "./padded-component.ts";
import { bytesWritten, watchPeakAnonymousMiB } from "./process-memory.ts";
import { atMost, type Figure, plain } from "./report.ts";

const MEBIBYTE = 1024 * 1024;
const PAYLOAD_MIB = 16;
const LARGEST_PAYLOAD_MIB = 64;
const GOAL_GROWTH_MIB = 8;
const UPDATES = 20;
const SAMPLE_INTERVAL_MS = 10;
const UNIT = "MiB anonymous";

export async function measureInstall(note: (line: string) => void): Promise<Figure[]> {
  const measure = async (fleet: MeasuredFleet): Promise<Figure[]> => {
    await fleet.rig.startAgent();
    await fleet.install(THERMO);
    note(`a payload of ${PAYLOAD_MIB} MiB …`);
    const usual = await measurePayload(fleet, PAYLOAD_MIB, "1.1.0");
    note(`a payload of ${LARGEST_PAYLOAD_MIB} MiB …`);
    const largest = await measurePayload(fleet, LARGEST_PAYLOAD_MIB, "1.2.0");
    note(`${UPDATES} updates …`);
    const beforeUpdates = await fleet.restingMiB();
    for (let update = 1; update <= UPDATES; update++) {
      await fleet.install({ ...THERMO, version: `2.0.${update}` });
    }
    const afterUpdates = await fleet.restingMiB();
    return [
      plain("agent at rest, C example running", usual.restingMiB, UNIT),
      growth(PAYLOAD_MIB, usual),
      growth(LARGEST_PAYLOAD_MIB, largest),
      plain(`${PAYLOAD_MIB} MiB payload: time to committed`, usual.seconds, "s", "its trial alone: 1 s"),
      plain(`${PAYLOAD_MIB} MiB payload: bytes written`, usual.written, "× payload", "disk and sockets"),
      plain(`growth over ${UPDATES} updates`, afterUpdates - beforeUpdates, UNIT, at(beforeUpdates)),
    ];
  };
  return withMeasuredFleet(note, measure, SMALL_DEVICE);
}

interface PayloadFigures {
  readonly restingMiB: number;
  readonly peakMiB: number;
  readonly seconds: number;
  /** Bytes that the agent wrote, as a multiple of the payload. */
  readonly written: number;
}

async function measurePayload(
  fleet: MeasuredFleet,
  sizeMiB: number,
  version: string,
): Promise<PayloadFigures> {
  const component = join(fleet.rig.folder, `payload-${sizeMiB}.wasm`);
  await writeFile(component, await componentOfSize(sizeMiB * MEBIBYTE));
  const restingMiB = await fleet.restingMiB();
  const writtenBefore = await bytesWritten(fleet.rig.agentPid);
  const peak = watchPeakAnonymousMiB(fleet.rig.agentPid, SAMPLE_INTERVAL_MS);
  const startMs = performance.now();
  await fleet.install({ ...THERMO, component, version });
  const seconds = (performance.now() - startMs) / 1_000;
  const peakMiB = await peak.stop();
  const written = ((await bytesWritten(fleet.rig.agentPid)) - writtenBefore) / (sizeMiB * MEBIBYTE);
  return { restingMiB, peakMiB, seconds, written };
}

function growth(sizeMiB: number, { peakMiB, restingMiB }: PayloadFigures): Figure {
  const name = `${sizeMiB} MiB payload: growth while it is installed`;
  return atMost(name, peakMiB - restingMiB, GOAL_GROWTH_MIB, UNIT, at(restingMiB));
}

function at(restingMiB: number): string {
  return `at rest: ${restingMiB.toFixed(1)}`;
}
