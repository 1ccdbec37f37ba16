/** The figures of `npm run qemu -- tiny --footprint` as the tables of docs/FOOTPRINT.md, or one JSON object a line. */
import type { Costs, StateFigures } from "./footprint.ts";
import { type Method, median } from "./resting.ts";

const MEMORY_HEADER = [
  "MiB",
  "MemAvailable",
  "agent's PSS",
  "RSS",
  "anonymous",
  "swapped",
  "major faults/s",
] as const;

/** One object for each state: all that was measured, under the names of the sources, memory in KiB and times in seconds. */
export function footprintJson(figures: readonly StateFigures[]): string {
  return figures.map((each) => `${JSON.stringify(each)}\n`).join("");
}

/** Two tables in Markdown: memory at rest of each state, and processor time as multiples of that of `node -e 0`. */
export function footprintTables(figures: readonly StateFigures[], method: Method): string {
  const samples = figures[0]?.rest.samples ?? 0;
  const told = `Median of ${samples} samples, one each ${method.intervalSeconds} s, after ${method.warmUpSeconds} s of warm-up:`;
  return [
    told,
    "",
    ...table(MEMORY_HEADER, figures.map(memoryRow)),
    "",
    "Processor time, as multiples of that of `node -e 0`:",
    "",
    ...table(["what", "× node -e 0"], costRows(figures)),
    "",
  ].join("\n");
}

function memoryRow({ state, rest }: StateFigures): readonly string[] {
  const { agent } = rest;
  const parts = [agent?.pssKib, agent?.residentKib, agent?.anonymousKib, agent?.swappedKib];
  const mebibytes = (kib: number | undefined): string => (kib === undefined ? "–" : (kib / 1024).toFixed(1));
  return [state, mebibytes(rest.availableKib), ...parts.map(mebibytes), rest.majorFaultsPerSecond.toFixed(2)];
}

/** A start and an install are the median of the machines that had one; an hour is each state's own. */
function costRows(figures: readonly StateFigures[]): readonly (readonly string[])[] {
  const all = figures.flatMap(({ costs }) => costs ?? []);
  const modules = new Set(all.flatMap(({ installSeconds }) => Object.keys(installSeconds)));
  return [
    ["the agent's start until it is connected", ratio(median(all.map(startRatio)))],
    ...[...modules].map((module) => [
      `an install of ${module} with its trial`,
      ratio(median(installRatios(all, module))),
    ]),
    ...figures.flatMap(({ state, rest, costs }) => {
      if (rest.agent === undefined || costs === undefined) return [];
      return [
        [`an hour at rest: ${state}`, ratio(rest.agent.processorSecondsPerHour / costs.referenceSeconds)],
      ];
    }),
  ];
}

function installRatios(all: readonly Costs[], module: string): number[] {
  return all.flatMap(({ installSeconds, referenceSeconds }) => {
    const seconds = installSeconds[module];
    return seconds === undefined ? [] : seconds / referenceSeconds;
  });
}

function startRatio({ startSeconds, referenceSeconds }: Costs): number {
  return startSeconds / referenceSeconds;
}

function ratio(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0);
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map((_, column) => (column === 0 ? "---" : "---:"))), ...rows.map(line)];
}
