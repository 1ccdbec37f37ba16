/**
 * WASI 0.2 for one module: clocks, random, stdio, environment, exit, and the folders that it was given.
 *
 * Built on preview2-shim's in-process ("browser") build, whose files are imported by path: the package's `exports` map
 * leads every import under Node to its other build, which starts a thread as soon as it is loaded and opens
 * the host's files, environment and network. Sockets and HTTP are ours: network.ts.
 */

import { createCli } from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/cli.js";
import { error, streams } from "../../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js";
import type { WorkerStart } from "../channel.ts";
import type { WasiInterface } from "../imports.ts";
import { LogRate } from "../log-rate.ts";
import type { ModuleSession } from "../module-session.ts";
import { createClocks } from "./clocks.ts";
import { createConfig } from "./config.ts";
import type { Descriptor } from "./filesystem/descriptor.ts";
import type { Filesystem } from "./filesystem/filesystem.ts";
import { createLogging } from "./logging.ts";
import { createPolling, type Polling } from "./poll.ts";
import { createRandom } from "./random.ts";
import { createStdio, ModuleLog, type StandardStreams } from "./stdio.ts";

export interface WasiHost {
  readonly interfaces: Readonly<Record<WasiInterface, object>>;
  readonly polling: Polling;
  /** What wasi:keyvalue is kept in. */
  readonly privateFolder: Descriptor | undefined;
  /** To be called when the module has ended: its last words may lack a line's end. */
  end(): void;
}

/** @param withFilesystem whether the component imports `wasi:filesystem`, or `wasi:keyvalue` on top of it: only then it is loaded */
export async function createWasiHost(
  session: ModuleSession,
  start: WorkerStart,
  withFilesystem: boolean,
): Promise<WasiHost> {
  const polling = createPolling(session);
  const clocks = createClocks(session, polling);
  const random = createRandom(session, start.memoryBytes);
  const stdio = await loadStdio(session, start, polling);
  const filesystem = withFilesystem
    ? await loadFilesystem(session, polling, start)
    : { types: {}, preopens: { getDirectories: () => [] }, privateFolder: undefined };
  const cli = createCli({ environment: start.env, arguments: [start.name, ...start.args] });
  const interfaces = {
    // Every path of a module starts at a folder that it was given: there is no current one.
    "wasi:cli/environment": { ...cli.environment, initialCwd: () => undefined },
    "wasi:cli/exit": createExit(session),
    "wasi:cli/stderr": stdio.stderr,
    "wasi:cli/stdin": stdio.stdin,
    "wasi:cli/stdout": stdio.stdout,
    "wasi:cli/terminal-input": cli.terminalInput,
    "wasi:cli/terminal-output": cli.terminalOutput,
    "wasi:cli/terminal-stderr": { getTerminalStderr: () => stdio.terminal("stderr") },
    "wasi:cli/terminal-stdin": { getTerminalStdin: () => stdio.terminal("stdin") },
    "wasi:cli/terminal-stdout": { getTerminalStdout: () => stdio.terminal("stdout") },
    "wasi:clocks/monotonic-clock": clocks.monotonicClock,
    "wasi:clocks/wall-clock": clocks.wallClock,
    "wasi:config/store": createConfig(session, start.grants.config ?? {}),
    "wasi:filesystem/preopens": filesystem.preopens,
    "wasi:filesystem/types": filesystem.types,
    "wasi:io/error": error,
    "wasi:io/poll": polling.poll,
    "wasi:io/streams": streams,
    "wasi:logging/logging": createLogging(session, (level, line) => stdio.line(level, line)),
    "wasi:random/insecure": random.insecure,
    "wasi:random/insecure-seed": random.insecureSeed,
    "wasi:random/random": random.random,
  };
  return { interfaces, polling, privateFolder: filesystem.privateFolder, end: () => stdio.end() };
}

async function loadStdio(
  session: ModuleSession,
  start: WorkerStart,
  polling: Polling,
): Promise<StandardStreams> {
  if (start.stdio === "log") {
    const rate = new LogRate(start.logLinesPerSecond, start.logBytesPerSecond);
    return createStdio(session, new ModuleLog(session, rate), polling);
  }
  const { createInheritedStdio } = await import("./inherited-stdio.ts");
  return createInheritedStdio(session, polling);
}

async function loadFilesystem(
  session: ModuleSession,
  polling: Polling,
  start: WorkerStart,
): Promise<Filesystem> {
  const { createFilesystem } = await import("./filesystem/filesystem.ts");
  return createFilesystem(session, polling, start);
}

function createExit(session: ModuleSession) {
  return {
    exit: (status: { readonly tag: "ok" | "err" }) =>
      session.finish({ kind: "exited", exitCode: status.tag === "ok" ? 0 : 1 }),
    exitWithCode: (exitCode: number) => session.finish({ kind: "exited", exitCode }),
  };
}
