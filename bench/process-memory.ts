/** A process's memory as Linux accounts it (`/proc/<pid>/smaps_rollup`), and what it wrote (`/proc/<pid>/io`). */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const MEBIBYTE = 1024 * 1024;

/** Anonymous memory of a process in MiB: what it allocated itself, and what a device without swap can't take back. */
export async function anonymousMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const kibibytes = /^Anonymous:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kibibytes === undefined) throw new Error(`no Anonymous line in /proc/${pid}/smaps_rollup`);
  return (Number(kibibytes) * 1024) / MEBIBYTE;
}

/** Median of `count` samples, `intervalMs` apart. */
export async function medianAnonymousMiB(pid: number, count: number, intervalMs: number): Promise<number> {
  const samples: number[] = [];
  for (let taken = 0; taken < count; taken++) {
    samples.push(await anonymousMiB(pid));
    await delay(intervalMs);
  }
  return samples.toSorted((left, right) => left - right)[Math.floor(samples.length / 2)] ?? Number.NaN;
}

/** Samples until `stop` is called, which gives the highest value seen, in MiB. */
export function watchPeakAnonymousMiB(pid: number, intervalMs: number): { stop(): Promise<number> } {
  let peak = 0;
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      peak = Math.max(peak, await anonymousMiB(pid));
      await delay(intervalMs);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await watching;
      return peak;
    },
  };
}

/** Everything the process handed to write calls, in bytes: also on a temporary file system in memory. */
export async function bytesWritten(pid: number): Promise<number> {
  const count = /^wchar: (\d+)$/m.exec(await readFile(`/proc/${pid}/io`, "utf8"))?.[1];
  if (count === undefined) throw new Error(`no wchar line in /proc/${pid}/io`);
  return Number(count);
}
