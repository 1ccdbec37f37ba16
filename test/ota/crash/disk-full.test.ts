/** The disk has no room from any call on, or for one call only: what runs goes on, and the update goes through once there is room. */

import test, { type ExecutionContext } from "ava";
import { VolatileDevice } from "../../support/volatile-device.ts";
import { installed, MODULE, NEW, OLD, RELEASES } from "./scenarios.ts";

type Fault = { readonly isFull: (call: number) => boolean };

const FAULTS: Readonly<Record<string, (from: number) => Fault>> = {
  "from any call on": (from) => ({ isFull: (call) => call >= from }),
  "for any single call": (from) => ({ isFull: (call) => call === from }),
};

const base = installed(OLD);

/** Updates while the disk is full from a call on; gives false once there are fewer calls than that. */
async function updateOnFullDisk(
  t: ExecutionContext,
  { isFull }: Fault,
  traps: readonly string[],
  at: string,
): Promise<boolean> {
  const disk = await base();
  const device = await VolatileDevice.open(disk, { releases: RELEASES });
  for (const version of traps) device.runner.traps.add(version);
  device.installer.start();
  await device.rest();
  device.connect();
  let calls = 0;
  let wasFull = false;
  disk.isFull = () => {
    const full = isFull(calls++);
    wasFull ||= full;
    return full;
  };
  device.ask(NEW);
  await device.passUntil(() => false);
  const allowed = traps.includes("1.1.0") ? ["1.0.0"] : ["1.0.0", "1.1.0"];
  t.true(
    allowed.includes(device.runningVersion(MODULE) ?? "none"),
    `${at}: ${device.runningVersion(MODULE)} runs`,
  );
  t.deepEqual(device.brokenVersions(), [], at);
  const isDone = (): boolean =>
    device.installer.snapshot()[MODULE]?.desired === "1.1.0" && !device.isUnderWay(MODULE);
  if (!isDone()) {
    const codes = device.reports.flatMap(({ code }) => code ?? []);
    t.true(codes.includes("store/disk-full"), `${at}: told ${codes.join()}`);
  }
  disk.isFull = () => false;
  t.true(await device.passUntil(isDone), `${at}: ${JSON.stringify(device.installer.snapshot())}`);
  await device.rest();
  t.is(device.runningVersion(MODULE), traps.includes("1.1.0") ? "1.0.0" : "1.1.0", at);
  await device.installer.stop();
  // And what is on the disk is what is told.
  const next = await VolatileDevice.open(disk, { releases: RELEASES });
  next.installer.start();
  await next.rest();
  t.is(
    next.runningVersion(MODULE),
    device.reports.at(-1)?.event === "stopped" ? device.reports.at(-1)?.version : undefined,
    at,
  );
  await next.installer.stop();
  return wasFull;
}

for (const [what, faultFrom] of Object.entries(FAULTS)) {
  for (const traps of [[], ["1.1.0"]]) {
    test(`no room ${what} of an update that ${traps.length === 0 ? "commits" : "rolls back"}`, async (t) => {
      let calls = 0;
      while (await updateOnFullDisk(t, faultFrom(calls), traps, `full at call ${calls}`)) calls++;
      t.true(calls > 30, `it was full at each of ${calls} calls`);
    });
  }
}

test("an agent that starts on a full disk runs what is committed", async (t) => {
  const disk = await base();
  disk.isFull = () => true;
  const device = await VolatileDevice.open(disk, { releases: RELEASES });
  device.installer.start();
  await device.rest();
  t.is(device.runningVersion(MODULE), "1.0.0");
  await device.installer.stop();
});
