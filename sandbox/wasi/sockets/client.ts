/** The worker's side of the network's part of the channel: calls, errors, and what can be waited for. */

import { ioErrorCreate } from "../../../node_modules/@bytecodealliance/preview2-shim/dist/browser/io.js";
import { MAX_NETWORK_WAIT_MS } from "../../limits.ts";
import type { ModuleSession } from "../../module-session.ts";
import { monotonicMs } from "../../monotonic-time.ts";
import type {
  Awaited,
  HttpErrorCode,
  Interest,
  NetworkCall,
  NetworkReply,
  SocketErrorCode,
} from "../../network/protocol.ts";
import type { Pollable, Polling, SourceGroup } from "../poll.ts";

/** What of the session is used. */
type Session = Pick<ModuleSession, "call" | "enterHost">;

type Reply<Tag extends NetworkReply["tag"]> = NetworkReply & { readonly tag: Tag };

interface Answer<Tag extends NetworkReply["tag"]> {
  readonly head: Reply<Tag>;
  readonly payload: Uint8Array;
}

/** `error-code` of `wasi:http/types`: what a case carries is an option, which is none or a size, but for the one with a record of them. */
export interface HttpError {
  readonly tag: HttpErrorCode;
  readonly val?: object | bigint;
}

/** What a call failed with: thrown through the linker as the `error` case that carries it. */
export class NetworkFailure extends Error {
  override readonly name = "NetworkFailure";
  readonly payload: SocketErrorCode | HttpError;
  readonly code: SocketErrorCode | HttpErrorCode;

  constructor(code: SocketErrorCode | HttpErrorCode, payload: NetworkFailure["payload"]) {
    super(code);
    this.code = code;
    this.payload = payload;
  }
}

/** A socket's failure. */
export function socketFailure(code: SocketErrorCode): NetworkFailure {
  return new NetworkFailure(code, code);
}

/** An HTTP request's failure. */
export function httpFailure(code: HttpErrorCode): NetworkFailure {
  return new NetworkFailure(code, code === "DNS-error" ? { tag: code, val: {} } : { tag: code });
}

export class NetworkClient implements SourceGroup<Awaited> {
  readonly #session: Session;
  readonly #polling: Polling;
  readonly #open = new Set<number>();
  readonly #ioErrors = new WeakMap<object, NetworkFailure>();

  constructor(session: Session, polling: Polling) {
    this.#session = session;
    this.#polling = polling;
  }

  enterHost(): void {
    this.#session.enterHost();
  }

  /** Asks the agent. @throws NetworkFailure for an error, and for an answer of another kind than those expected */
  call<Tag extends NetworkReply["tag"]>(
    request: NetworkCall,
    tags: readonly Tag[],
    payload?: Uint8Array,
  ): Answer<Tag> {
    const reply = this.#session.call({ call: "network", request }, payload);
    const head = reply.head.tag === "network" ? reply.head.reply : undefined;
    if (head?.tag === "error") throw socketFailure(head.code);
    if (head?.tag === "http-error") throw httpFailure(head.code);
    if (head === undefined || !isOneOf(head, tags)) throw socketFailure("unknown");
    if (head.tag === "opened" || head.tag === "accepted") this.#open.add((head as Reply<"opened">).id);
    return { head, payload: reply.payload };
  }

  /** Gives a number back; what is left behind is the agent's. */
  close(id: number): void {
    if (this.#open.delete(id)) this.call({ op: "close", id }, ["done"]);
  }

  pollable(id: number, interest: Interest): Pollable {
    return this.#polling.member(this, { id, interest });
  }

  /** Ready at once. */
  always(): Pollable {
    return this.#polling.always();
  }

  /** Blocks until the interest is ready. */
  waitUntil(id: number, interest: Interest): void {
    while (this.wait([{ id, interest }], Number.POSITIVE_INFINITY)[0] !== true);
  }

  /** What is closed is ready: whoever asks finds out. */
  wait(members: readonly Awaited[], deadlineMs: number): readonly boolean[] {
    const open = new Map(members.filter(({ id }) => this.#open.has(id)).map((one) => [keyOf(one), one]));
    if (open.size === 0) return members.map(() => true);
    const hasClosed = members.some(({ id }) => !this.#open.has(id));
    const remainingMs = hasClosed ? 0 : Math.max(0, Math.ceil(deadlineMs - monotonicMs()));
    const timeoutMs = Math.min(remainingMs, MAX_NETWORK_WAIT_MS);
    const { head } = this.call({ op: "wait", for: [...open.values()], timeoutMs }, ["ready"]);
    const ready = new Set([...open.keys()].filter((_, index) => head.ready[index] === true));
    return members.map((one) => !this.#open.has(one.id) || ready.has(keyOf(one)));
  }

  /** `last-operation-failed` of a stream. */
  streamError(failure: NetworkFailure): { readonly tag: "last-operation-failed"; readonly val: object } {
    const val = ioErrorCreate(failure.code);
    this.#ioErrors.set(val, failure);
    return { tag: "last-operation-failed", val };
  }

  /** What a stream's error was, if it is one of the network's. */
  failureOf(error: object): NetworkFailure | undefined {
    return this.#ioErrors.get(error);
  }
}

function keyOf({ id, interest }: Awaited): string {
  return `${id} ${interest}`;
}

function isOneOf<Tag extends NetworkReply["tag"]>(
  head: NetworkReply,
  tags: readonly Tag[],
): head is Reply<Tag> {
  return tags.some((tag) => tag === head.tag);
}
