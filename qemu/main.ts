/**
 * `npm run qemu -- tiny [--shell | --demo]`: builds an emulated ARM machine from Debian's packages, boots it, and lets somebody use it.
 *
 * Exit codes: 0 as asked, 1 something failed, 2 wrong usage.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { requireTools } from "./tools.ts";

const USAGE = `usage: npm run qemu -- tiny [options]

  tiny       an i.MX6UL board: one Cortex-A7, 64 MB

  --build    build what it consists of (minutes the first time), and end
  --shell    boot it with its console here; Ctrl-A X ends it
  --demo     boot it and show the main job on it (default)
  --help     print this

Needs QEMU and the packages that build the machine; as root on Debian they are installed where they are missing.
`;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (typeof options === "number") return options;
  const folder = await mkdtemp(join(tmpdir(), "skerry-qemu-"));
  try {
    requireTools();
    const { buildTiny, shellCommand } = await import("./tiny/machine.ts");
    const parts = await buildTiny((line) => console.log(line));
    if (options === "build") return 0;
    if (options === "shell") {
      const [program = "", ...args] = await shellCommand(parts, folder);
      return spawnSync(program, args, { stdio: "inherit" }).status ?? 1;
    }
    const { demonstrate } = await import("./tiny/demo.ts");
    return (await demonstrate(parts, folder)) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Action = "build" | "shell" | "demo";

function readOptions(argv: readonly string[]): Action | number {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        build: { type: "boolean", default: false },
        shell: { type: "boolean", default: false },
        demo: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    if (positionals.length !== 1 || positionals[0] !== "tiny") throw new Error("name the machine: tiny");
    const actions = (["build", "shell", "demo"] as const).filter((name) => values[name]);
    if (actions.length > 1) throw new Error(`--${actions.join(" and --")}: one of them`);
    return actions[0] ?? "demo";
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
}
