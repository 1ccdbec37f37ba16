/**
 * A shell inside of a machine, over a serial line of its own: a command goes in, its output and exit code come out. Nothing else may write to the line
 * (the kernel's messages and the log of the boot are on the console's).
 */
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A terminal line holds 4,096 bytes that nobody has read yet; what comes beyond is lost. */
const PIECE_CHARACTERS = 1_000;
const KNOCK_INTERVAL_MS = 500;
const CLOSED = "the machine's control line is closed: the machine ended";

export interface CommandResult {
  readonly code: number;
  readonly output: string;
}

export class GuestShell {
  readonly #socket: Socket;
  #received = "";
  #wake: () => void = () => undefined;
  #closed = false;
  #count = 0;

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.setEncoding("utf8");
    this.#socket.on("data", (text: string) => {
      this.#received += text;
      this.#wake();
    });
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /**
   * Waits until the shell answers. What is typed before it listens is lost, perhaps from the middle of a line on: the knock has nothing
   * in it that a shell would want the other half of.
   */
  async ready(): Promise<void> {
    while (!/^knocked\r?\n/m.test(this.#received)) {
      this.#socket.write("\necho knocked\n");
      await delay(KNOCK_INTERVAL_MS);
      if (this.#closed) throw new Error(CLOSED);
    }
    // Answers to further knocks are not to be taken for the output of the first command.
    await this.run(":");
  }

  /** Runs a command to its end, its standard error among its output. */
  async run(command: string): Promise<CommandResult> {
    this.#count += 1;
    const [text, mark] = marked(command, this.#count);
    this.#received = "";
    this.#socket.write(text);
    for (;;) {
      const end = this.#received.indexOf(mark);
      const code = /^(\d+)\n/.exec(end < 0 ? "" : this.#received.slice(end + mark.length));
      if (code !== null) return { code: Number(code[1]), output: this.#received.slice(0, end) };
      await this.#more();
    }
  }

  /**
   * Runs a command that has to succeed; resolves to its output without the last line's end.
   *
   * @throws Error with its output if its exit code is not 0
   */
  async check(command: string): Promise<string> {
    const { code, output } = await this.run(command);
    if (code !== 0) throw new Error(`in the machine, ${command} ended with ${code}: ${output}`);
    return output.trimEnd();
  }

  /** Writes a file in the machine (some kilobytes: a serial line is slow). Its folder has to be there. */
  async write(path: string, contents: string | Uint8Array): Promise<void> {
    const text = Buffer.from(contents).toString("base64");
    await this.check(`: > ${path}.base64`);
    for (let at = 0; at < text.length; at += PIECE_CHARACTERS) {
      await this.check(`printf %s ${text.slice(at, at + PIECE_CHARACTERS)} >> ${path}.base64`);
    }
    await this.check(`base64 -d ${path}.base64 > ${path}.new && rm ${path}.base64 && mv ${path}.new ${path}`);
  }

  async copy(from: string, to: string): Promise<void> {
    await this.write(to, await readFile(from));
  }

  close(): void {
    this.#socket.destroy();
  }

  #more(): Promise<void> {
    if (this.#closed) throw new Error(CLOSED);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }
}

/** The command with what prints its exit code behind it, and the mark that the code follows. The mark is not in the command's own text. */
function marked(command: string, count: number): readonly [string, string] {
  return [`{ ${command}\n} 2>&1 </dev/null; printf '\\001%s:%s\\n' ${count} $?\n`, `\u0001${count}:`];
}
