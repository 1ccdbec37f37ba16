/** `skerry module`: runs and inspects modules by hand, without an agent and without a broker. */
import type { LineWriter } from "./log.ts";

export interface ModuleCommandIo {
  readonly stdout: LineWriter;
  readonly stderr: LineWriter;
}

const USAGE = `usage: skerry module <command> [options]

  run       run a module in the sandbox:  skerry module run module.wasm [options] [-- ARGUMENTS]
  inspect   show what a module imports, exports and needs:  skerry module inspect module.wasm

skerry module <command> --help tells a command's options.
`;

/** Runs one command line (without the words `skerry module`) and resolves to its exit code. */
export async function runModuleCommand(argv: readonly string[], io: ModuleCommandIo): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case "run": {
      const { moduleRunCommand } = await import("./module-run.ts");
      return moduleRunCommand(rest, io);
    }
    case "inspect": {
      const { moduleInspectCommand } = await import("./module-inspect.ts");
      return moduleInspectCommand(rest, io);
    }
    case "--help":
    case "-h":
      io.stdout.write(USAGE);
      return 0;
    default:
      io.stderr.write(`${command === undefined ? "" : `error: unknown command "${command}"\n\n`}${USAGE}`);
      return 2;
  }
}
