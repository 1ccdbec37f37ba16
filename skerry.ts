/**
 * The command line: reads the first word and imports what that command needs, nothing else, so that the agent on a device
 * never loads the operator's side.
 */
const USAGE = `usage: skerry <command> [options]

on the device
  agent       run the agent:  skerry agent --config device.toml

on the author's machine
  module      run or inspect a module without an agent:  skerry module run module.wasm

on the operator's machine
  keys        create the repository folder of a fleet, and rule its keys:  skerry keys init
  publish     add a release of a module:  skerry publish module.wasm --manifest module.toml
  assign      choose who runs what:  skerry assign acme/thermo@1.0.0 --group default --percent 25
  sync        make the broker hold what the repository folder says
  prune       withdraw releases and chunks that no device needs any more
  refresh     sign the short-lived metadata again before it expires
  send        send a message to a module:  skerry send pi-01 acme/heater setpoint 21.5
  devices     list the devices and what each runs
  watch       follow the fleet's events

skerry <command> --help tells a command's options. skerry --version prints the version.
`;

const FLEET_COMMANDS = new Set([
  "keys",
  "publish",
  "assign",
  "sync",
  "prune",
  "refresh",
  "devices",
  "send",
  "watch",
]);

/**
 * Runs one command line (without the program's name) and resolves to its exit code: 0 done, 1 failed, 2 wrong usage.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  if (command === undefined || command === "--help" || command === "-h" || command === "help") {
    process.stdout.write(USAGE);
    return command === undefined ? 2 : 0;
  }
  if (command === "--version" || command === "-V") {
    const { VERSION } = await import("./agent/version.ts");
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const io = { stdout: process.stdout, stderr: process.stderr };
  if (command === "agent") {
    const { runAgentCommand } = await import("./agent/cli.ts");
    return runAgentCommand(rest, io);
  }
  if (command === "module") {
    const { runModuleCommand } = await import("./agent/module-command.ts");
    return runModuleCommand(rest, io);
  }
  if (FLEET_COMMANDS.has(command)) {
    const { runFleetCommand } = await import("./fleet/main.ts");
    const terminal = process.stdin.isTTY ? process.stdin : undefined;
    return runFleetCommand([command, ...rest], { ...io, terminal });
  }
  process.stderr.write(`error: unknown command "${command}"\n\n${USAGE}`);
  return 2;
}
