/**
 * What a tiny machine and its agent take at rest: after a warm-up samples at an interval over a window, of which the medians count. Memory as the kernel
 * accounts it (`MemAvailable`, `smaps_rollup`), in KiB; processor time as the guest counts it (utime and stime of `/proc/<pid>/stat`).
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Machine } from "../machine.ts";

/** Of the times in `/proc/<pid>/stat`: Linux's USER_HZ. */
const TICKS_PER_SECOND = 100;
const MEMORY_LINES = ["Rss", "Pss", "Anonymous", "SwapPss"] as const;

export interface Method {
  readonly warmUpSeconds: number;
  readonly windowSeconds: number;
  readonly intervalSeconds: number;
}

/** That of the benchmark of AWS Greengrass nucleus lite, so that the two can be compared (docs/FOOTPRINT.md). */
export const METHOD: Method = { warmUpSeconds: 300, windowSeconds: 600, intervalSeconds: 10 };

/** Of the agent's process, in KiB. */
interface ProcessMemory {
  readonly residentKib: number;
  readonly pssKib: number;
  readonly anonymousKib: number;
  readonly swappedKib: number;
}

export interface Rest {
  /** MemAvailable of the machine. */
  readonly availableKib: number;
  /** Of the machine. */
  readonly majorFaultsPerSecond: number;
  readonly samples: number;
  /** Where there is an agent: its memory, and its processor time per hour. */
  readonly agent?: ProcessMemory & { readonly processorSecondsPerHour: number };
}

/** Finds the agent's process. */
export async function agentPid(machine: Machine): Promise<number> {
  return Number(await machine.shell.check("pidof node | cut -d ' ' -f 1"));
}

/** Processor time that a process has had, in seconds of the guest's. */
export async function processorSeconds(machine: Machine, pid: number): Promise<number> {
  return parseProcessorSeconds(await machine.shell.check(`cat /proc/${pid}/stat`));
}

/** Reads utime and stime (proc(5)): the twelfth and thirteenth field behind the program's name, which may have spaces and parentheses itself. */
export function parseProcessorSeconds(stat: string): number {
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  const ticks = Number(user) + Number(system);
  if (!Number.isInteger(ticks)) throw new Error(`no times in the machine's /proc/<pid>/stat: ${stat}`);
  return ticks / TICKS_PER_SECOND;
}

/**
 * Lets the machine rest and measures it.
 *
 * @param pid the agent's process, if there is one; it has to be there to the end
 * @throws Error if the process has ended, or the kernel has killed one for want of memory
 */
export async function measureRest(
  machine: Machine,
  pid: number | undefined,
  method: Method,
  signal: AbortSignal,
): Promise<Rest> {
  await delay(method.warmUpSeconds * 1000, undefined, { signal });
  const begin = await readCounters(machine, pid);
  const memory: (readonly [availableKib: number, process: ProcessMemory | undefined])[] = [];
  for (let seconds = 0; seconds < method.windowSeconds; seconds += method.intervalSeconds) {
    await delay(method.intervalSeconds * 1000, undefined, { signal });
    memory.push(await readMemorySample(machine, pid));
  }
  const end = await readCounters(machine, pid);
  const kills = await machine.shell.check("dmesg | grep -c 'Out of memory' || true");
  if (kills !== "0") throw new Error(`the kernel killed ${kills} processes for want of memory`);
  const seconds = end.uptimeSeconds - begin.uptimeSeconds;
  const perHour = ((end.processorSeconds - begin.processorSeconds) / seconds) * 3600;
  const agents = memory.flatMap(([, process]) => process ?? []);
  return {
    availableKib: median(memory.map(([availableKib]) => availableKib)),
    majorFaultsPerSecond: (end.majorFaults - begin.majorFaults) / seconds,
    samples: memory.length,
    ...(agents.length > 0 && { agent: { ...medians(agents), processorSecondsPerHour: perHour } }),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

function medians(samples: readonly ProcessMemory[]): ProcessMemory {
  return {
    residentKib: median(samples.map(({ residentKib }) => residentKib)),
    pssKib: median(samples.map(({ pssKib }) => pssKib)),
    anonymousKib: median(samples.map(({ anonymousKib }) => anonymousKib)),
    swappedKib: median(samples.map(({ swappedKib }) => swappedKib)),
  };
}

interface Counters {
  readonly uptimeSeconds: number;
  readonly majorFaults: number;
  readonly processorSeconds: number;
}

async function readCounters(machine: Machine, pid: number | undefined): Promise<Counters> {
  const text = await machine.shell.check("cat /proc/uptime && grep '^pgmajfault ' /proc/vmstat");
  const [, uptime, faults] = /^([\d.]+) [\d.]+\s+pgmajfault (\d+)$/m.exec(text) ?? [];
  if (uptime === undefined) throw new Error(`the machine does not say its uptime and page faults:\n${text}`);
  return {
    uptimeSeconds: Number(uptime),
    majorFaults: Number(faults),
    processorSeconds: pid === undefined ? 0 : await processorSeconds(machine, pid),
  };
}

async function readMemorySample(
  machine: Machine,
  pid: number | undefined,
): Promise<readonly [number, ProcessMemory | undefined]> {
  const files = pid === undefined ? "/proc/meminfo" : `/proc/meminfo /proc/${pid}/smaps_rollup`;
  const lines = ["MemAvailable", ...MEMORY_LINES].join("|");
  const text = await machine.shell.check(`cat ${files} | grep -E '^(${lines}):'`);
  if (pid === undefined) return [kibibytes(text, "MemAvailable"), undefined];
  return [
    kibibytes(text, "MemAvailable"),
    {
      residentKib: kibibytes(text, "Rss"),
      pssKib: kibibytes(text, "Pss"),
      anonymousKib: kibibytes(text, "Anonymous"),
      swappedKib: kibibytes(text, "SwapPss"),
    },
  ];
}

/** A line of `/proc/meminfo` or `smaps_rollup`. */
export function kibibytes(text: string, name: string): number {
  const value = new RegExp(`^${name}: *(\\d+) kB$`, "m").exec(text)?.[1];
  if (value === undefined) throw new Error(`the machine does not say ${name}:\n${text}`);
  return Number(value);
}
