/** What the agent's side of a module's network has open, and what each of them shares. */

import type { AllowList } from "./allow-list.ts";
import type { Interest, NetworkReply, SocketErrorCode } from "./protocol.ts";

export interface Answer {
  readonly head: NetworkReply;
  readonly payload?: Uint8Array;
}

/** A socket, a lookup or an HTTP request. */
export interface Handle {
  /** Would the calls that belong to the interest answer something else than `would-block`? */
  isReady(interest: Interest): boolean;
  /** Resolves when nothing is left of it; never rejects. */
  close(): Promise<void>;
}

export interface NetworkContext {
  readonly allowList: AllowList;
  /** To be called whenever something may have become ready. */
  changed(): void;
  /** Tells the device's owner, in the module's log, what the allow-list did not allow. */
  refused(what: string): void;
  /** Takes a handle in; undefined when the module has as many as it may have. */
  add(handle: Handle): number | undefined;
  /** The addresses of a name that may be used. @throws LookupFailure */
  lookUp(name: string): Promise<FoundAddress[]>;
}

export interface FoundAddress {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
}

export class LookupFailure extends Error {
  override readonly name = "LookupFailure";
  readonly code: SocketErrorCode;

  constructor(code: SocketErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const DONE: Answer = { head: { tag: "done" } };
export const END: Answer = { head: { tag: "end" } };
export const WOULD_BLOCK = failed("would-block");

export function failed(code: SocketErrorCode): Answer {
  return { head: { tag: "error", code } };
}
