/** The machine's clock, and whether the system says that it is right. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ClockReading } from "../ota/trusted-time.ts";

/**
 * Whether the clock is synchronised, by what systemd-timesyncd leaves below /run: its folder is there while it runs, the file once it
 * has set the clock (systemd-timesyncd.service(8), "Files"). The kernel's own flag (adjtimex) can't be read from Node; without timesyncd nothing
 * is known, whatever else keeps the clock.
 */
export function isClockSynchronised(runFolder = "/run"): boolean | undefined {
  const timesync = join(runFolder, "systemd", "timesync");
  if (existsSync(join(timesync, "synchronized"))) return true;
  return existsSync(timesync) ? false : undefined;
}

/** Reads the clock of this machine. */
export function readClock(): ClockReading {
  return {
    wallMs: Date.now(),
    monotonicMs: performance.now(),
    isSynchronised: isClockSynchronised(),
  };
}
