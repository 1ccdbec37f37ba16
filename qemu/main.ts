/**
 * `npm run qemu -- tiny [--shell | --demo]`, `npm run qemu -- pi --shell`, `npm run qemu -- powercut`: builds an emulated ARM machine from Debian's packages, boots it, and lets somebody use it.
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
import { requireTools } from "./tools.ts";

const USAGE = `usage: npm run qemu -- tiny [--build | --shell | --demo]
       npm run qemu -- pi [--build | --shell]
       npm run qemu -- powercut [--cuts N] [--seed N]

tiny: an i.MX6UL board, one Cortex-A7 with 64 MB
  --build    build what it consists of (minutes the first time), and end
  --shell    boot it with its console here; Ctrl-A X ends it
  --demo     boot it and show the main job on it (default)

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
const TASKS = ["build", "shell", "demo"] as const;

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
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        build: { type: "boolean", default: false },
        shell: { type: "boolean", default: false },
        demo: { type: "boolean", default: false },
        cuts: { type: "string" },
        seed: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    const [subject, ...more] = positionals;
    const named = TASKS.filter((name) => values[name]);
    const counts = values.cuts !== undefined || values.seed !== undefined;
    if (more.length === 0 && subject === "powercut" && named.length === 0) {
      const cuts = readCount("--cuts", values.cuts, DEFAULT_CUTS);
      return { kind: "powercut", cuts, seed: readCount("--seed", values.seed, randomInt(2 ** 31)) };
    }
    if (more.length > 0 || (subject !== "tiny" && subject !== "pi")) {
      throw new Error("say what: tiny, pi or powercut");
    }
    if (counts) throw new Error("--cuts and --seed go with powercut");
    if (named.length > 1) throw new Error(`--${named.join(" and --")}: one of them`);
    return machineTask(subject, named[0]);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
}

function machineTask(machine: "tiny" | "pi", kind: (typeof TASKS)[number] | undefined): Task {
  if (machine === "tiny") return { kind: kind ?? "demo", machine };
  if (kind === "demo") throw new Error("--demo goes with tiny");
  return { kind: kind ?? "shell", machine };
}

function readCount(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`${option} takes a number from 1 on, not "${text}"`);
  return Number(text);
}
