/**
 * `npm run qemu -- tiny [--shell | --demo | --footprint]`, `npm run qemu -- pi --shell`, `npm run qemu -- powercut`: builds an emulated ARM machine from Debian's packages, boots it, and lets somebody use it.
 *
 * Exit codes: 0 as asked, 1 something failed, 2 wrong usage.
 */
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { VERSION } from "../agent/version.ts";
import { METHOD, type Method } from "./tiny/resting.ts";
import { requireTools } from "./tools.ts";

const USAGE = `usage: npm run qemu -- tiny [--build | --shell | --demo]
       npm run qemu -- tiny --footprint [--json] [--warm-up S] [--window S]
       npm run qemu -- pi [--build | --shell]
       npm run qemu -- powercut [--cuts N] [--seed N]

tiny: an i.MX6UL board, one Cortex-A7 with 64 MB
  --build    build what it consists of (minutes the first time), and end
  --shell    boot it with its console here; Ctrl-A X ends it
  --demo     boot it and show the main job on it (default)
  --footprint     measure what the agent takes of it, half an hour (docs/FOOTPRINT.md)
    --json        one JSON object for each state that it is measured in
    --warm-up S   so many seconds of rest before the first sample (default: ${METHOD.warmUpSeconds})
    --window S    so many seconds with a sample each ${METHOD.intervalSeconds} s (default: ${METHOD.windowSeconds})

pi: a 64-bit machine with 512 MB, Debian 13 with systemd; Skerry's package lies in /mnt
  --build    build what it consists of, and end
  --shell    boot it with its console here; Ctrl-A X ends it (default)

powercut: takes the power of tiny away in the middle of updates
  --cuts N   so many times (default: 30)
  --seed N   at the moments of an earlier run (default: another seed each time)

  --help     print this

Needs QEMU and the packages that build the machine; as root on Debian they are installed where they are missing.
`;

const DEFAULT_CUTS = 30;
const TASKS = ["build", "shell", "demo", "footprint"] as const;
/** Options that only one task has. */
const GOES_WITH = {
  cuts: "powercut",
  seed: "powercut",
  json: "--footprint",
  "warm-up": "--footprint",
  window: "--footprint",
} as const;

const OPTIONS = {
  build: { type: "boolean" },
  shell: { type: "boolean" },
  demo: { type: "boolean" },
  footprint: { type: "boolean" },
  json: { type: "boolean" },
  "warm-up": { type: "string" },
  window: { type: "string" },
  cuts: { type: "string" },
  seed: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>["values"];

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const task = readTask(argv);
  if (typeof task === "number") return task;
  try {
    requireTools();
    return await perform(task);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

type Task =
  | { readonly kind: "build" | "shell" | "demo"; readonly machine: "tiny" }
  | { readonly kind: "footprint"; readonly machine: "tiny"; readonly method: Method; readonly json: boolean }
  | { readonly kind: "build" | "shell"; readonly machine: "pi" }
  | { readonly kind: "powercut"; readonly cuts: number; readonly seed: number };

async function perform(task: Task): Promise<number> {
  const note = (line: string): void => console.log(line);
  if (task.kind === "powercut") {
    const { cutPowerRepeatedly } = await import("./tiny/power-cuts.ts");
    await cutPowerRepeatedly({ ...task, note });
    return 0;
  }
  if (task.machine === "pi") return performOnPi(task.kind, note);
  if (task.kind === "footprint") return performFootprint(task.method, task.json);
  const { buildTiny, shellCommand } = await import("./tiny/machine.ts");
  const parts = await buildTiny(note);
  if (task.kind === "build") return 0;
  return inFolder(async (folder) => {
    if (task.kind === "shell") return runHere(await shellCommand(parts, folder));
    const { demonstrate } = await import("./tiny/demo.ts");
    return (await demonstrate(parts, folder)) ? 0 : 1;
  });
}

async function performOnPi(kind: "build" | "shell", note: (line: string) => void): Promise<number> {
  const { buildPi, shellCommand } = await import("./pi/machine.ts");
  const parts = await buildPi(note);
  if (kind === "build") return 0;
  return inFolder(async (folder) => {
    const command = await shellCommand(parts, folder);
    const { bringPackage } = await import("./pi/device.ts");
    note(`Skerry's package in the machine: ${await bringPackage(folder, VERSION)}`);
    return runHere(command);
  });
}

async function performFootprint(method: Method, json: boolean): Promise<number> {
  const { measureFootprint } = await import("./tiny/footprint.ts");
  const { footprintJson, footprintTables } = await import("./tiny/footprint-report.ts");
  const figures = await measureFootprint(method, (line) => console.error(line));
  process.stdout.write(json ? footprintJson(figures) : footprintTables(figures, method));
  return 0;
}

/** Runs a program at this terminal; resolves to its exit code. */
function runHere([program = "", ...args]: readonly string[]): number {
  return spawnSync(program, args, { stdio: "inherit" }).status ?? 1;
}

/** Gives `action` a folder for a machine's files, and removes it at the end. */
async function inFolder(action: (folder: string) => Promise<number>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-qemu-"));
  try {
    return await action(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readTask(argv: readonly string[]): Task | number {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    return taskOf(positionals, values);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
}

function taskOf([subject, ...more]: readonly string[], values: Values): Task {
  const [kind, ...others] = TASKS.filter((name) => values[name]);
  if (more.length > 0 || (subject !== "tiny" && subject !== "pi" && subject !== "powercut")) {
    throw new Error("say what: tiny, pi or powercut");
  }
  if (others.length > 0) throw new Error(`--${[kind, ...others].join(" and --")}: one of them`);
  const asked = subject === "powercut" ? subject : `--${kind}`;
  for (const [option, task] of Object.entries(GOES_WITH)) {
    if (values[option as keyof typeof GOES_WITH] !== undefined && task !== asked) {
      throw new Error(`--${option} goes with ${task}`);
    }
  }
  if (subject === "tiny") return tinyTask(kind ?? "demo", values);
  if (subject === "pi") {
    if (kind === "demo" || kind === "footprint") throw new Error(`--${kind} goes with tiny`);
    return { kind: kind ?? "shell", machine: subject };
  }
  if (kind !== undefined) throw new Error(`--${kind} goes with a machine, not with powercut`);
  const cuts = readCount("--cuts", values.cuts, DEFAULT_CUTS);
  return { kind: "powercut", cuts, seed: readCount("--seed", values.seed, randomInt(2 ** 31)) };
}

function tinyTask(kind: (typeof TASKS)[number], values: Values): Task {
  if (kind !== "footprint") return { kind, machine: "tiny" };
  const method = {
    ...METHOD,
    warmUpSeconds: readCount("--warm-up", values["warm-up"], METHOD.warmUpSeconds),
    windowSeconds: readCount("--window", values.window, METHOD.windowSeconds),
  };
  return { kind, machine: "tiny", method, json: values.json ?? false };
}

function readCount(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`${option} takes a number from 1 on, not "${text}"`);
  return Number(text);
}
