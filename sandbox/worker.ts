/**
 * The entry of a module's worker thread: answers the agent's messages, one module per worker.
 *
 * It loads next to nothing at first; what the module needs is imported when it starts.
 */

import { parentPort, workerData } from "node:worker_threads";
import type { WorkerStart } from "./channel.ts";
import { ModuleSession, parseAgentMessage } from "./module-session.ts";
import type { ModuleEnd } from "./module-spec.ts";
import type { LoadedModule } from "./run-module.ts";
import type { Reactor } from "./run-reactor.ts";

if (parentPort === null || !(workerData instanceof SharedArrayBuffer)) {
  throw new Error("this file runs as the worker of startModule, not by itself");
}

const port = parentPort;
const session = new ModuleSession(port, workerData);
let module: LoadedModule | undefined;
let reactor: Reactor | undefined;

port.on("message", (frame: unknown) => {
  const { head: message, payload } = parseAgentMessage(frame);
  switch (message.kind) {
    case "start":
      void guarded(() => start(message.start));
      break;
    case "on-timer":
    case "on-message":
    case "health":
      void guarded(() => {
        reactor?.call(message, payload);
      });
      break;
    case "stop":
      end({ kind: "stopped" });
      break;
  }
});

async function start(spec: WorkerStart): Promise<void> {
  collect();
  const { loadModule } = await import("./run-module.ts");
  module = await loadModule(session, spec);
  collect();
  if (spec.world === "command") {
    const { runCommand } = await import("./run-command.ts");
    end(runCommand(session, module));
  } else {
    const { startReactor } = await import("./run-reactor.ts");
    reactor = startReactor(session, module);
  }
}

/** What the thread's own start, decoding and linking leave behind would stay for as long as the module sleeps (3.7 MiB). */
function collect(): void {
  globalThis.gc?.({ type: "major", flavor: "last-resort" });
}

/** Whatever comes out of the guest, or out of loading it, is the module's end. */
async function guarded(step: () => void | Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    const { describeEnd } = await import("./run-module.ts");
    end(describeEnd(session, error));
  }
}

/** The agent takes the thread away when it has read this. */
function end(how: ModuleEnd): void {
  module?.wasi.end();
  session.post({ kind: "ended", end: how });
}
