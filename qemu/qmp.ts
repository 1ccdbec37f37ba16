/** QEMU's monitor over its socket: QMP 2, one JSON object per line, one command at a time. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface, type Interface } from "node:readline";

export class QmpClient {
  readonly #socket: Socket;
  readonly #lines: Interface;
  #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket });
    this.#lines.on("line", (line) => this.#receive(line));
    // What is asked of a machine that ended has no answer.
    socket.on("close", () => this.#settle(new Error("the machine's monitor is closed")));
    socket.on("error", () => undefined);
  }

  /** Connects to a machine's monitor; `path` is its socket. */
  static async connect(path: string): Promise<QmpClient> {
    const socket = connect(path);
    await once(socket, "connect");
    const client = new QmpClient(socket);
    await client.execute("qmp_capabilities");
    return client;
  }

  /**
   * Executes one command.
   *
   * @throws Error with QEMU's description if it refuses
   */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#waiting !== undefined) throw new Error(`${command}: one command at a time`);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting = { resolve, reject };
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    return promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(line: string): void {
    const message = parseObject(line);
    if ("return" in message) this.#settle(undefined, message["return"]);
    else if ("error" in message) this.#settle(new Error(JSON.stringify(message["error"])));
    // Everything else is the greeting, or an event that nobody here waits for.
  }

  #settle(error: Error | undefined, value?: unknown): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(error);
  }
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(line);
  return typeof value === "object" && value !== null ? { ...value } : {};
}
