/** `npm run qemu -- tiny --demo`: the demo's story with the agent on the tiny machine, its sensor on I2C and its serial port real to it. */
import { randomBytes } from "node:crypto";
import { startEmbeddedBroker } from "../../demo/broker.ts";
import { textDisplay } from "../../demo/display.ts";
import { Expectations } from "../../demo/expectations.ts";
import { Rig } from "../../demo/rig.ts";
import { play } from "../../demo/scenario.ts";
import { agentLog, enrol, readMemory, tinyToml } from "./device.ts";
import { setTemperature, startTiny, type TinyParts } from "./machine.ts";

/** How long one step may take: an emulated processor is slow, and shares this one with whatever else runs. */
const STEP_TIMEOUT_MS = 300_000;
const TRIAL_WINDOW = "15s";
const DEGREES = 23.5;

/** Plays it; true if every chapter came out as said. `folder` takes the machine's files. */
export async function demonstrate(parts: TinyParts, folder: string): Promise<boolean> {
  await using cleanUp = new AsyncDisposableStack();
  const display = textDisplay(process.stdout);
  const expect = new Expectations(STEP_TIMEOUT_MS);
  const broker = await startEmbeddedBroker();
  cleanUp.defer(() => broker.close());
  const machine = await startTiny(parts, folder);
  cleanUp.defer(() => machine.cutPower());
  const device = {
    fleet: `demo-${randomBytes(4).toString("hex")}`,
    deviceId: "tiny-01",
    brokerUrl: broker.url,
  };
  const rig = await Rig.create({
    ...device,
    deviceToml: () => tinyToml(device),
    serialFarEnd: await machine.modulePort(),
    onEvent: (event) => {
      display.event(event);
      expect.addEvent(event);
    },
    onTelemetry: (topic, payload) => {
      if (expect.isWaitingForTelemetry) display.telemetry(topic, payload);
      expect.addTelemetry(topic, payload);
    },
  });
  cleanUp.defer(() => rig.close());
  display.chapter("A fleet of one device: an i.MX6UL with 64 MB");
  await setTemperature(machine, DEGREES);
  await machine.shell.ready();
  display.action("booted; its configuration comes over its control line, and its init starts skerry agent");
  await enrol(machine, rig);
  const ok = await play({ rig, display, expect, window: TRIAL_WINDOW });
  const { available, pss, anonymous } = await readMemory(machine);
  const mebibytes = (kibibytes: number): string => `${(kibibytes / 1024).toFixed(1)} MiB`;
  display.action(
    `of 64 MiB ${mebibytes(available)} are available; the agent has ${mebibytes(pss)} (PSS), ${mebibytes(anonymous)} of it anonymous`,
  );
  if (!ok) process.stderr.write(`${await agentLog(machine)}\n`);
  display.end(ok, ok ? "Every step came out as said." : "The demo failed; the agent's log is above.");
  return ok;
}
