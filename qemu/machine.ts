/**
 * One emulated machine: a QEMU process with its monitor, its console (logged to a file), the serial port that modules
 * talk over, and a shell. All of its sockets and files lie in one folder.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { GuestShell } from "./guest-shell.ts";
import { QmpClient } from "./qmp.ts";

const SOCKET_POLL_MS = 50;
/** Of QEMU's own start, until its monitor's socket is there, in milliseconds. */
const START_TIMEOUT_MS = 60_000;

export interface MachineSpec {
  /** QEMU's program and the arguments that make this machine, without serial lines and monitor. */
  readonly command: readonly string[];
  /** How the serial lines are attached; `chardev` names are `console`, `module`, `control`. */
  readonly serialArguments: readonly string[];
  /** A folder of this machine's own. Sockets' paths have at most 107 bytes. */
  readonly folder: string;
}

/** QEMU's arguments for the lines and the monitor of a machine in `folder`. */
function lineArguments(folder: string): readonly string[] {
  const socket = (id: string, more = ""): string[] => [
    "-chardev",
    `socket,id=${id},path=${join(folder, `${id}.sock`)},server=on,wait=off${more}`,
  ];
  return [
    ...socket("console", `,logfile=${join(folder, "console.log")},logappend=on`),
    ...["-chardev", "pty,id=module"],
    ...socket("control"),
    "-qmp",
    `unix:${join(folder, "monitor.sock")},server=on,wait=off`,
  ];
}

export class Machine {
  readonly folder: string;
  readonly monitor: QmpClient;
  readonly shell: GuestShell;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(folder: string, child: ChildProcess, exited: Promise<unknown>, monitor: QmpClient) {
    this.folder = folder;
    this.#process = child;
    this.#exited = exited;
    this.monitor = monitor;
    this.shell = new GuestShell(join(folder, "control.sock"));
  }

  /** Starts it; resolves when QEMU runs, long before the machine has booted (`shell.ready()`). */
  static async start({ command, serialArguments, folder }: MachineSpec): Promise<Machine> {
    const [program = "", ...args] = command;
    const log = await open(join(folder, "qemu.log"), "a");
    const child = spawn(
      program,
      [...args, "-display", "none", ...lineArguments(folder), ...serialArguments],
      {
        stdio: ["ignore", log.fd, log.fd],
      },
    );
    await once(child, "spawn").finally(() => log.close());
    const exited = once(child, "exit");
    try {
      const monitor = await connectMonitor(join(folder, "monitor.sock"), child, folder);
      return new Machine(folder, child, exited, monitor);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  /** The file that the console's output goes to. */
  get consoleLog(): string {
    return join(this.folder, "console.log");
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The terminal where a program plays the device that is wired to the machine's serial port. */
  async modulePort(): Promise<string> {
    const lines = await this.monitor.execute("query-chardev");
    const path = /"pty:([^"]+)"/.exec(JSON.stringify(lines))?.[1];
    if (path === undefined) throw new Error("QEMU has no terminal for the serial port of the modules");
    return path;
  }

  /** Takes its power away: nothing that the machine has not written to its disk is kept. */
  async cutPower(): Promise<void> {
    this.shell.close();
    this.monitor.close();
    if (this.isRunning) this.#process.kill("SIGKILL");
    await this.#exited;
  }

  /** Waits until it ends by itself (a reboot ends it, too). */
  async ended(): Promise<void> {
    await this.#exited;
    this.shell.close();
    this.monitor.close();
  }
}

async function connectMonitor(path: string, child: ChildProcess, folder: string): Promise<QmpClient> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null)
      throw new Error(`QEMU ended with ${child.exitCode}; see ${join(folder, "qemu.log")}`);
    try {
      await access(path);
      return await QmpClient.connect(path);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await delay(SOCKET_POLL_MS);
  }
}
