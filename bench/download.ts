/**
 * How fast the agent downloads, against `mosquitto_sub`, which receives the same messages and does nothing with them. The agent asks for a
 * window at a time, hashes each message and writes it; its time is that from `fetching` to the last `progress` in its own events.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { planSync } from "../fleet/sync-plan.ts";
import { findTool } from "../test/support/tools.ts";
import { type MeasuredFleet, THERMO } from "./measured-fleet.ts";
import { componentOfSize } from "./padded-component.ts";

const MEBIBYTE = 1024 * 1024;
/** Some 920 chunks: fewer than the thousand messages that Mosquitto keeps waiting for a client. */
const PAYLOAD_MIB = 16;
/** The best of these counts on both sides: whatever else the machine does makes each slower. */
const ROUNDS = 5;

export interface DownloadFigure {
  readonly name: string;
  /** The agent's throughput, as a multiple of mosquitto_sub's. */
  readonly ratio: number;
  readonly against: string;
}

export async function measureDownload(
  fleet: MeasuredFleet,
  brokerUrl: string,
  note: (line: string) => void,
): Promise<DownloadFigure[]> {
  const mosquittoSub = findTool("mosquitto_sub");
  if (mosquittoSub === undefined) {
    note("left out, mosquitto_sub is missing: apt-get install mosquitto-clients");
    return [];
  }
  const agentMs: number[] = [];
  const subscriberMs: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const component = join(fleet.rig.folder, `download-${round}.wasm`);
    await writeFile(component, await componentOfSize(PAYLOAD_MIB * MEBIBYTE));
    const version = `3.0.${round}`;
    agentMs.push(await fleet.install({ ...THERMO, component, version }));
    const release = { module: "acme/thermo", version };
    const { blobs } = await planSync(fleet.rig.repository, { repositories: ["image"], release });
    subscriberMs.push(
      await receiveAll(
        mosquittoSub,
        brokerUrl,
        blobs.map(({ topic }) => topic),
      ),
    );
  }
  const [agent, subscriber] = [Math.min(...agentMs), Math.min(...subscriberMs)];
  const speed = (milliseconds: number): string =>
    `${((PAYLOAD_MIB * 1_000) / milliseconds).toFixed(1)} MiB/s`;
  return [
    {
      name: `download of ${PAYLOAD_MIB} MiB through Mosquitto on loopback`,
      ratio: subscriber / agent,
      against: `agent ${speed(agent)}, mosquitto_sub ${speed(subscriber)}`,
    },
  ];
}

/** The time that mosquitto_sub takes to receive these retained messages, in milliseconds. */
async function receiveAll(
  mosquittoSub: string,
  brokerUrl: string,
  topics: readonly string[],
): Promise<number> {
  const { hostname, port } = new URL(brokerUrl);
  const wanted = topics.flatMap((topic) => ["-t", topic]);
  const startMs = performance.now();
  // %l: of each message it prints the length alone.
  await promisify(execFile)(
    mosquittoSub,
    ["-h", hostname, "-p", port, "-q", "1", "-C", String(topics.length), "-F", "%l", ...wanted].map(String),
    {
      maxBuffer: 64 * MEBIBYTE,
    },
  );
  return performance.now() - startMs;
}
