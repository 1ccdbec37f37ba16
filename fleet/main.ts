/**
 * The operator's commands: finds the command, runs it, and turns errors into a line and an exit code: 0 done,
 * 1 failed, 2 wrong usage.
 */

import { OtaError } from "../ota/errors.ts";
import { type FleetCommand, type FleetIo, parseCall } from "./command-line.ts";
import { FleetError } from "./errors.ts";

/** Each is imported when it runs. */
const COMMANDS: Readonly<Record<string, () => Promise<FleetCommand>>> = {
  keys: async () => (await import("./keys-command.ts")).keysCommand,
  publish: async () => (await import("./publish-command.ts")).publishCommand,
  assign: async () => (await import("./assign-command.ts")).assignCommand,
  sync: async () => (await import("./sync-command.ts")).syncCommand,
  refresh: async () => (await import("./refresh-command.ts")).refreshCommand,
  prune: async () => (await import("./prune-command.ts")).pruneCommand,
  devices: async () => (await import("./devices-command.ts")).devicesCommand,
  send: async () => (await import("./send-command.ts")).sendCommand,
  watch: async () => (await import("./watch-command.ts")).watchCommand,
};

/** Runs `<command> <arguments…>` and resolves to its exit code; errors are written to `io.stderr`. */
export async function runFleetCommand(argv: readonly string[], io: FleetIo): Promise<number> {
  const [name = "", ...rest] = argv;
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    io.stderr.write(`error: unknown command "${name}": use one of ${Object.keys(COMMANDS).join(", ")}\n`);
    return 2;
  }
  return runCommand(await load(), rest, io);
}

async function runCommand(command: FleetCommand, rest: readonly string[], io: FleetIo): Promise<number> {
  const [word = "", ...further] = rest;
  const { subcommands = {} } = command;
  const below = Object.hasOwn(subcommands, word) ? subcommands[word] : undefined;
  if (below !== undefined) return runCommand(await below(), further, io);
  if (rest.includes("--help") || rest.includes("-h")) {
    io.stdout.write(command.usage);
    return 0;
  }
  try {
    if (command.subcommands !== undefined && word !== "") throw unknownSubcommand(command, word);
    return await command.run(parseCall(command, rest, io));
  } catch (error) {
    return report(error, command, io);
  }
}

function unknownSubcommand({ subcommands = {} }: FleetCommand, word: string): FleetError {
  return new FleetError("fleet/usage", `"${word}" is none of ${Object.keys(subcommands).join(", ")}`);
}

function report(error: unknown, command: FleetCommand, io: FleetIo): number {
  if (!(error instanceof FleetError || error instanceof OtaError)) throw error;
  if (error.code === "fleet/usage") {
    // The synopsis only: the whole help would move the error out of sight.
    const [synopsis = ""] = command.usage.split("\n\n", 1);
    const [, name = ""] = /^usage: skerry ((?:keys )?[a-z]+)/.exec(synopsis) ?? [];
    io.stderr.write(`error: ${error.message}\n\n${synopsis}\n\nskerry ${name} --help tells the options\n`);
    return 2;
  }
  io.stderr.write(`error: ${error.message} (${error.code})\n`);
  return 1;
}
