/**
 * The network's part of the channel: what a module's worker asks for, and the answers.
 *
 * Sockets, lookups and HTTP requests live on the agent's side, each under a number of its own. No call waits for the
 * network but `wait`; what is not there yet is answered `would-block`. Addresses are texts without a zone.
 */

import type { AddressFamily, Protocol } from "./rules.ts";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * What a wait is for. `done`: a connection attempt, a lookup or a response is there, or failed. `end`: a response's body is
 * over.
 */
export type Interest = "read" | "write" | "done" | "end";

export type SocketOption = "keep-alive" | "hop-limit" | "receive-buffer-size" | "send-buffer-size";

export interface HttpRequestHead {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly pathWithQuery: string;
  readonly hasBody: boolean;
  readonly connectTimeoutMs: number;
  readonly firstByteTimeoutMs: number;
  readonly betweenBytesTimeoutMs: number;
}

export type NetworkCall =
  | { readonly op: "create"; readonly protocol: Protocol; readonly family: AddressFamily }
  | { readonly op: "bind"; readonly id: number; readonly endpoint: Endpoint }
  | { readonly op: "connect"; readonly id: number; readonly endpoint: Endpoint }
  | { readonly op: "finish-connect"; readonly id: number }
  | { readonly op: "listen"; readonly id: number; readonly backlog: number }
  | { readonly op: "accept"; readonly id: number }
  | { readonly op: "read"; readonly id: number; readonly maxBytes: number }
  | { readonly op: "check-write"; readonly id: number }
  /** The frame's payload is what to write: at most what the check permitted. */
  | { readonly op: "write"; readonly id: number }
  | { readonly op: "shutdown"; readonly id: number; readonly direction: "receive" | "send" | "both" }
  | { readonly op: "set-option"; readonly id: number; readonly option: SocketOption; readonly value: number }
  /** UDP: from now on to and from this place alone, or any. */
  | { readonly op: "associate"; readonly id: number; readonly remote: Endpoint | null }
  /** The frame's payload is the datagram. */
  | { readonly op: "send"; readonly id: number; readonly remote: Endpoint | null }
  /** The oldest datagram from `offset` on; it is gone when its end was fetched. */
  | { readonly op: "receive"; readonly id: number; readonly offset: number }
  | { readonly op: "resolve"; readonly name: string }
  | { readonly op: "resolved"; readonly id: number }
  /** The frame's payload is the headers (header-block.ts). */
  | { readonly op: "request"; readonly head: HttpRequestHead }
  /** Status and headers of the response, the headers' block from `offset` on. */
  | { readonly op: "response"; readonly id: number; readonly offset: number }
  /** The request's body is complete; the frame's payload is its trailers. */
  | { readonly op: "finish-body"; readonly id: number }
  | { readonly op: "trailers"; readonly id: number; readonly offset: number }
  | { readonly op: "close"; readonly id: number }
  | { readonly op: "wait"; readonly for: readonly Awaited[]; readonly timeoutMs: number };

export interface Awaited {
  readonly id: number;
  readonly interest: Interest;
}

export type NetworkReply =
  | { readonly tag: "done" }
  | { readonly tag: "opened"; readonly id: number }
  | { readonly tag: "bound"; readonly local: Endpoint }
  | { readonly tag: "connected"; readonly local: Endpoint; readonly remote: Endpoint }
  | { readonly tag: "accepted"; readonly id: number; readonly local: Endpoint; readonly remote: Endpoint }
  /** The frame's payload is what was read. */
  | { readonly tag: "bytes" }
  | { readonly tag: "end" }
  | { readonly tag: "permit"; readonly bytes: number }
  /** The frame's payload is a part of the datagram. */
  | { readonly tag: "datagram"; readonly remote: Endpoint; readonly sizeBytes: number }
  | { readonly tag: "addresses"; readonly addresses: readonly string[] }
  /** The frame's payload is a part of the headers' block. */
  | { readonly tag: "response"; readonly status: number; readonly sizeBytes: number }
  | { readonly tag: "trailers"; readonly sizeBytes: number }
  /** Which of those that were waited for are ready. */
  | { readonly tag: "ready"; readonly ready: readonly boolean[] }
  | { readonly tag: "error"; readonly code: SocketErrorCode }
  | { readonly tag: "http-error"; readonly code: HttpErrorCode };

/** `error-code` of `wasi:sockets/network`, as far as a call can end so. */
export type SocketErrorCode =
  | "unknown"
  | "access-denied"
  | "not-supported"
  | "invalid-argument"
  | "out-of-memory"
  | "timeout"
  | "concurrency-conflict"
  | "not-in-progress"
  | "would-block"
  | "invalid-state"
  | "new-socket-limit"
  | "address-not-bindable"
  | "address-in-use"
  | "remote-unreachable"
  | "connection-refused"
  | "connection-reset"
  | "connection-aborted"
  | "datagram-too-large"
  | "name-unresolvable"
  | "temporary-resolver-failure"
  | "permanent-resolver-failure";

/** `error-code` of `wasi:http/types`, as far as a request can end so; what they carry besides is left out. */
export type HttpErrorCode =
  | "DNS-timeout"
  | "DNS-error"
  | "destination-IP-prohibited"
  | "destination-unavailable"
  | "connection-refused"
  | "connection-terminated"
  | "connection-timeout"
  | "connection-read-timeout"
  | "connection-limit-reached"
  | "TLS-protocol-error"
  | "TLS-certificate-error"
  | "HTTP-request-denied"
  | "HTTP-request-body-size"
  | "HTTP-request-method-invalid"
  | "HTTP-request-URI-invalid"
  | "HTTP-request-URI-too-long"
  | "HTTP-request-header-section-size"
  | "HTTP-response-incomplete"
  | "HTTP-response-header-section-size"
  | "HTTP-response-timeout"
  | "HTTP-upgrade-failed"
  | "HTTP-protocol-error"
  | "internal-error";
