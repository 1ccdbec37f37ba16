/** The agent's end of the channel to one module's worker: makes the thread, sends and takes apart frames, tells how the thread ended. */

import type { Worker } from "node:worker_threads";
import { type AgentMessage, encodeFrame, type WorkerMessage } from "./channel.ts";
import { SandboxError, type SandboxErrorCode } from "./errors.ts";
import { parseWorkerMessage } from "./parse-worker-message.ts";
import { createWorker } from "./start-worker.ts";

export interface WorkerEvents {
  /** A SandboxError that it throws is told as a failure. */
  message(head: WorkerMessage, payload: Uint8Array): void;
  /** The worker broke the channel's rules, or can't go on. */
  failed(code: SandboxErrorCode, message: string): void;
  /** The thread is gone, whatever ended it. */
  gone(exitCode: number): void;
}

export class ModuleWorker {
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #heapMiB: number;

  /** Makes the thread, which waits for the message "start". @throws whatever keeps it from being made */
  constructor(controlMemory: SharedArrayBuffer, heapMiB: number, events: WorkerEvents) {
    this.#events = events;
    this.#heapMiB = heapMiB;
    this.#worker = createWorker(controlMemory, heapMiB);
    this.#listen();
  }

  post(message: AgentMessage, payload?: Uint8Array): void {
    this.#worker.postMessage(encodeFrame(message, payload));
  }

  /** Takes the thread away; `gone` follows. */
  terminate(): void {
    void this.#worker.terminate();
  }

  #listen(): void {
    const worker = this.#worker;
    worker.on("message", (frame: unknown) => this.#receive(frame));
    worker.on("messageerror", (error) =>
      this.#events.failed(
        "sandbox/channel-violation",
        `the module's worker sent something unreadable: ${error.message}`,
      ),
    );
    worker.on("error", (error) => this.#workerFailed(error));
    worker.on("exit", (code) => this.#events.gone(code));
    // Nothing of ours writes there; whatever does must neither reach the agent's output nor pile up.
    worker.stdout.resume();
    worker.stderr.resume();
  }

  #receive(frame: unknown): void {
    try {
      const { head, payload } = parseWorkerMessage(frame);
      this.#events.message(head, payload);
    } catch (error) {
      if (!(error instanceof SandboxError)) throw error;
      this.#events.failed(error.code, error.message);
    }
  }

  #workerFailed(error: unknown): void {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ERR_WORKER_OUT_OF_MEMORY") {
      this.#events.failed("limit/heap", `the worker's JavaScript heap outgrew ${this.#heapMiB} MiB`);
    } else {
      const reason = error instanceof Error ? error.message : String(error);
      this.#events.failed("sandbox/worker-failed", `the module's worker failed: ${reason}`);
    }
  }
}
