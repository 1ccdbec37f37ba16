/** The operator's command line, in the test's process. */

import { PassThrough } from "node:stream";
import { runFleetCommand } from "../../fleet/main.ts";
import type { Terminal } from "../../fleet/terminal.ts";

export interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly onText?: (text: string) => void;
  /** What a person types, a key at a time; without it there is no terminal. */
  readonly typed?: string;
  /** The terminal is closed after that. */
  readonly hangsUp?: boolean;
}

export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { env = {}, signal, onText, typed, hangsUp = false } = options;
  let out = "";
  let err = "";
  const exitCode = await runFleetCommand(argv, {
    stdout: {
      write: (text) => {
        out += text;
        onText?.(text);
      },
    },
    stderr: {
      write: (text) => {
        err += text;
        onText?.(text);
      },
    },
    env,
    ...(signal === undefined ? {} : { signal }),
    ...(typed === undefined ? {} : { terminal: typedTerminal(typed, hangsUp) }),
  });
  return { exitCode, out, err };
}

function typedTerminal(text: string, hangsUp: boolean): Terminal {
  const terminal = Object.assign(new PassThrough(), { setRawMode: () => undefined });
  terminal.write(text);
  if (hangsUp) terminal.end();
  return terminal;
}
