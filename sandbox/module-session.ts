/**
 * The worker's side of the channel, and what the parts of one module's host share: how a call blocks, how a stop
 * ends the guest, how the end is remembered.
 */

import {
  type AgentMessage,
  decodeFrame,
  encodeFrame,
  type Frame,
  type HostCall,
  type HostReply,
  type WorkerLimitCode,
  type WorkerMessage,
} from "./channel.ts";
import { WorkerControl } from "./control-block.ts";
import { LimitReports } from "./limit-reports.ts";
import { MAX_START_BYTES } from "./limits.ts";
import type { ModuleEnd } from "./module-spec.ts";
import { monotonicMs } from "./monotonic-time.ts";

/** Where frames go: the worker's port today. */
export interface FramePort {
  postMessage(frame: Uint8Array): void;
}

/** Thrown through the guest, which can't catch it, when the module is over; `ModuleSession.end` says why. */
export class ModuleOver extends Error {
  override readonly name = "ModuleOver";
}

export class ModuleSession {
  readonly #port: FramePort;
  readonly #control: WorkerControl;
  readonly #limitReports = new LimitReports<WorkerLimitCode>((code, message) =>
    this.post({ kind: "limited", code, message }),
  );
  #memoryIsFull = () => false;
  #sequence = 0;
  #end: ModuleEnd | undefined;

  constructor(port: FramePort, controlMemory: SharedArrayBuffer) {
    this.#port = port;
    this.#control = new WorkerControl(controlMemory);
  }

  /** Why the module is over, once a host function has decided so. */
  get end(): ModuleEnd | undefined {
    return this.#end;
  }

  /** From now on a module that has used all of its linear memory is reported. */
  watchMemory(isFull: () => boolean): void {
    this.#memoryIsFull = isFull;
  }

  post(message: WorkerMessage, payload?: Uint8Array): void {
    this.#reportFullMemory();
    this.#port.postMessage(encodeFrame(message, payload));
  }

  /** Tells the agent of a limit that the module ran into and goes on with; now and then, however often it is called. */
  limited(code: WorkerLimitCode, message: string): void {
    this.#limitReports.report(code, message);
  }

  /** Every host function calls this first: it feeds the watchdog, and ends the guest when a stop was requested. */
  enterHost(): void {
    this.#control.noteActivity();
    if (this.#control.stopRequested()) {
      this.finish({ kind: "stopped" });
    }
  }

  /** Ends the guest from inside a host function. */
  finish(end: ModuleEnd): never {
    this.#end ??= end;
    throw new ModuleOver(`the module is over: ${this.#end.kind}`);
  }

  /** Asks the agent and blocks this worker until the answer is there; a stop meanwhile ends the guest. */
  call(request: HostCall, payload?: Uint8Array): Frame<HostReply> {
    this.enterHost();
    this.#sequence += 1;
    this.post({ kind: "call", sequence: this.#sequence, request }, payload);
    const frame = this.#control.waitForReply(this.#sequence);
    if (frame === undefined) {
      return this.finish({ kind: "stopped" });
    }
    const reply = decodeFrame(frame);
    // The agent wrote it: the worker trusts the agent, which could end it anyway.
    return { head: reply.head as HostReply, payload: reply.payload };
  }

  /** Blocks this worker until `monotonicMs()` reaches `deadlineMs`; a stop meanwhile ends the guest. */
  sleepUntil(deadlineMs: number): void {
    this.#reportFullMemory();
    this.#control.sleepUntil(deadlineMs);
    this.enterHost();
  }

  /** The same, for a module that writes more than it may: a call that takes too long for it ends by that limit's name. */
  waitToWriteUntil(deadlineMs: number): void {
    this.#control.noteWriteWait(deadlineMs - monotonicMs());
    this.sleepUntil(deadlineMs);
  }

  /** Growing fails inside the guest, where nobody sees it: so it is looked at whenever the host is told something. */
  #reportFullMemory(): void {
    if (this.#memoryIsFull()) {
      this.limited("limit/memory", "the module has used all of its linear memory: growing it fails");
    }
  }
}

/** A message of the agent; trusted as `ModuleSession.call` trusts the reply. */
export function parseAgentMessage(frame: unknown): Frame<AgentMessage> {
  const { head, payload } = decodeFrame(frame, MAX_START_BYTES);
  return { head: head as AgentMessage, payload };
}
