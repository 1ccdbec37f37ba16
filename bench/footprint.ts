/**
 * What the agent costs a device at rest: the built agent, connected to Mosquitto over MQTT 5, started as the manual says
 * (`node skerry.js agent --config device.toml`, no flags), with the C example running and committed. Anonymous memory, the median
 * of five seconds after a warm-up. Beside it: Node itself, the agent alone, each example's share, and the same with
 * the environment that pays on a small device.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { ExampleRelease } from "../demo/rig.ts";
import { startRoomMeter } from "../examples/modbus-js/meter.ts";
import { SMALL_DEVICE, THERMO, withMeasuredFleet } from "./measured-fleet.ts";
import { medianAnonymousMiB } from "./process-memory.ts";
import { atMost, type Figure, plain } from "./report.ts";

const GOAL_MIB = 28;
const UNIT = "MiB anonymous";
const BARE_NODE_WARM_UP_MS = 3_000;

const MODBUS: ExampleRelease = {
  component: "modbus-js/modbus-1.0.0.wasm",
  manifest: "modbus-js/module.toml",
  version: "1.0.0",
  changes: { window: '"2s"', interval: '"500ms"' },
};

export async function measureFootprint(note: (line: string) => void): Promise<Figure[]> {
  note("bare node …");
  const bare = await measureBareNode();
  note("the agent as it is started …");
  const usual = await measureAgent(note, {});
  const settings = Object.entries(SMALL_DEVICE).map(([name, value]) => `${name}=${value}`);
  note(`the agent with ${settings.join(" ")} …`);
  const small = await measureAgent(note, SMALL_DEVICE);
  const [againstNode, withSettings] = [`bare node: ${bare.toFixed(1)}`, `with ${settings.join(" ")}`];
  return [
    plain("bare node", bare, UNIT),
    plain("agent, no module", usual.alone, UNIT, againstNode),
    atMost("agent, C example running", usual.withThermo, GOAL_MIB, UNIT, againstNode),
    plain("agent, C and JavaScript examples running", usual.withBoth, UNIT, againstNode),
    plain("share of the C example", usual.withThermo - usual.alone, UNIT),
    plain("share of the JavaScript example", usual.withBoth - usual.withThermo, UNIT),
    plain("agent, no module, small device", small.alone, UNIT, withSettings),
    plain("agent, C example running, small device", small.withThermo, UNIT, withSettings),
    plain("agent, C and JavaScript examples running, small device", small.withBoth, UNIT, withSettings),
  ];
}

interface AgentFigures {
  readonly alone: number;
  readonly withThermo: number;
  readonly withBoth: number;
}

async function measureAgent(
  note: (line: string) => void,
  environment: Readonly<Record<string, string>>,
): Promise<AgentFigures> {
  return withMeasuredFleet(
    note,
    async (fleet) => {
      await fleet.rig.startAgent();
      const alone = await fleet.restingMiB();
      await fleet.install(THERMO);
      const withThermo = await fleet.restingMiB();
      const meter = await startRoomMeter(fleet.rig.serialFarEnd, () => [214, 480]);
      try {
        await fleet.install(MODBUS);
        return { alone, withThermo, withBoth: await fleet.restingMiB() };
      } finally {
        await meter.close();
      }
    },
    environment,
  );
}

/** What any program on this Node costs: one that waits. */
async function measureBareNode(): Promise<number> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e9)"], { stdio: "ignore" });
  await once(child, "spawn");
  try {
    await delay(BARE_NODE_WARM_UP_MS);
    return await medianAnonymousMiB(child.pid ?? 0, 5, 200);
  } finally {
    child.kill();
    await once(child, "exit");
  }
}
