/**
 * The demo's story, and what has to happen in each chapter: the main job from a first install to what a device must refuse.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { startRoomMeter } from "../examples/modbus-js/meter.ts";
import { forgeRelease } from "./attacker.ts";
import type { DeviceEvent } from "./device-events.ts";
import type { Display } from "./display.ts";
import type { Expectations } from "./expectations.ts";
import type { ExampleRelease, Rig } from "./rig.ts";

const THERMO = "acme/thermo";
const FORGED_VERSION = "1.3.0";
/** What the story is played with. */
export interface Stage {
  readonly rig: Rig;
  readonly display: Display;
  readonly expect: Expectations;
  /** Of a trial, as manifests write it; a real module's is minutes. */
  readonly window: string;
}

const thermo = (version: string, window: string): ExampleRelease => ({
  component: `thermo-c/thermo-${version}.wasm`,
  manifest: "thermo-c/module.toml",
  version,
  changes: { window: `"${window}"`, THERMO_PERIOD_MS: '"250"' },
});

const greedy: ExampleRelease = {
  component: "greedy-c/greedy-1.0.0.wasm",
  manifest: "greedy-c/module.toml",
  version: "1.0.0",
};

const modbus = (window: string): ExampleRelease => ({
  component: "modbus-js/modbus-1.0.0.wasm",
  manifest: "modbus-js/module.toml",
  version: "1.0.0",
  changes: { window: `"${window}"`, interval: '"500ms"' },
});

/** 21.4 degrees, 48.0 percent, in tenths. */
const METER_REGISTERS = [214, 480] as const;

/** Plays the story up to the first chapter that does not come out as said; true if all did. */
export async function play(stage: Stage): Promise<boolean> {
  const chapters: readonly Chapter[] = [
    firstInstall,
    liveUpdate,
    rollback,
    secondModule,
    forgedSignature,
    importNotGranted,
  ];
  for (const chapter of chapters) {
    if (!(await chapter(stage))) return false;
  }
  return true;
}

type Chapter = (stage: Stage) => Promise<boolean>;

const INSTALL_EVENTS = ["fetching", "verified", "staged", "trial", "committed"] as const;

async function firstInstall({ rig, display, expect, window }: Stage): Promise<boolean> {
  display.chapter("1. The first install");
  await publish(rig, display, thermo("1.0.0", window));
  const installed = await expect.events(INSTALL_EVENTS.map((event) => ({ event, version: "1.0.0" })));
  const flowing = installed && (await expect.telemetry("acme.thermo/temperature"));
  return conclude(
    display,
    flowing,
    "1.0.0 was fetched, verified, staged, tried and committed; telemetry flows",
  );
}

async function liveUpdate({ rig, display, expect, window }: Stage): Promise<boolean> {
  display.chapter("2. An update");
  await publish(rig, display, thermo("1.1.0", window));
  const installed = await expect.events(INSTALL_EVENTS.map((event) => ({ event, version: "1.1.0" })));
  const flowing = installed && (await expect.telemetry("acme.thermo/temperature", '"avg"'));
  return conclude(display, flowing, "1.1.0 took over live; its telemetry has the new average");
}

async function rollback({ rig, display, expect, window }: Stage): Promise<boolean> {
  display.chapter("3. A release that traps during its trial");
  await publish(rig, display, thermo("1.2.0", window));
  const rolledBack = await expect.events([
    { event: "trial", version: "1.2.0" },
    { event: "rolled-back", version: "1.2.0", code: "trial/trap" },
  ]);
  const flowing = rolledBack && (await expect.telemetry("acme.thermo/temperature", '"avg"'));
  return conclude(display, flowing, "1.2.0 was rolled back to 1.1.0; telemetry flows again");
}

async function secondModule({ rig, display, expect, window }: Stage): Promise<boolean> {
  display.chapter("4. A second module: JavaScript that polls a Modbus meter on the serial port");
  const meter = await startRoomMeter(rig.serialFarEnd, () => METER_REGISTERS);
  try {
    display.action("a simulated meter answers at the far end of the virtual serial port");
    await publish(rig, display, modbus(window));
    const installed = await expect.events(INSTALL_EVENTS.map((event) => ({ event, version: "1.0.0" })));
    const flowing = installed && (await expect.telemetry("acme.modbus/room", '"temperature":21.4'));
    return conclude(display, flowing, "both modules run; the meter's reading arrives");
  } finally {
    await meter.close();
  }
}

async function forgedSignature({ rig, display, expect }: Stage): Promise<boolean> {
  display.chapter("5. An attacker with the broker's password and keys of his own");
  const component = await readFile(
    fileURLToPath(new URL("../examples/thermo-c/thermo-1.0.0.wasm", import.meta.url)),
  );
  await forgeRelease(rig, THERMO, FORGED_VERSION, component);
  display.action(`forged ${THERMO}@${FORGED_VERSION} on the broker`);
  const refused = await expect.events([
    { event: "refused", version: FORGED_VERSION, code: "trust/signature-invalid" },
  ]);
  await rig.sync();
  display.action("skerry sync: the broker holds the genuine metadata again");
  const flowing = refused && (await expect.telemetry("acme.thermo/temperature", '"avg"'));
  return conclude(display, flowing, `${FORGED_VERSION} was refused; 1.1.0 runs on`);
}

async function importNotGranted({ rig, display, expect }: Stage): Promise<boolean> {
  display.chapter("6. A module that wants more than the device's owner grants");
  await publish(rig, display, greedy);
  const namesImport = (event: DeviceEvent): boolean =>
    event.message?.includes("skerry:device/serial@0.1.0") ?? false;
  const refused = await expect.events([
    { event: "refused", version: "1.0.0", code: "stage/import-not-granted", also: namesImport },
  ]);
  const flowing = refused && (await expect.telemetry("acme.thermo/temperature", '"avg"'));
  return conclude(display, flowing, "its import was refused by name before a line of it ran; 1.1.0 runs on");
}

async function publish(rig: Rig, display: Display, example: ExampleRelease): Promise<void> {
  const { module, version, bytes } = await rig.prepare(example);
  display.action(
    `skerry publish, skerry assign ${module}@${version} --group default (${(bytes / 1024).toFixed(0)} KiB)`,
  );
  await rig.sync();
}

function conclude(display: Display, ok: boolean, text: string): boolean {
  display.verdict(ok, ok ? text : `did not come out as said: ${text}`);
  return ok;
}
