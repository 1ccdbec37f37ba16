/** Errors of the operating system as `error-code` of `wasi:sockets/network` (WASI 0.2; the WIT names the POSIX ones). */

import type { SocketErrorCode } from "./protocol.ts";

const CODES: Readonly<Record<string, SocketErrorCode>> = {
  EACCES: "access-denied",
  EPERM: "access-denied",
  EOPNOTSUPP: "not-supported",
  EAFNOSUPPORT: "not-supported",
  EINVAL: "invalid-argument",
  EDESTADDRREQ: "invalid-argument",
  ENOMEM: "out-of-memory",
  ENOBUFS: "out-of-memory",
  ETIMEDOUT: "timeout",
  EMFILE: "new-socket-limit",
  ENFILE: "new-socket-limit",
  EADDRNOTAVAIL: "address-not-bindable",
  EADDRINUSE: "address-in-use",
  EHOSTUNREACH: "remote-unreachable",
  EHOSTDOWN: "remote-unreachable",
  ENETUNREACH: "remote-unreachable",
  ENETDOWN: "remote-unreachable",
  ECONNREFUSED: "connection-refused",
  ECONNRESET: "connection-reset",
  EPIPE: "connection-reset",
  ECONNABORTED: "connection-aborted",
  EMSGSIZE: "datagram-too-large",
  ENOTFOUND: "name-unresolvable",
  ENODATA: "name-unresolvable",
  EAI_AGAIN: "temporary-resolver-failure",
  EAI_FAIL: "permanent-resolver-failure",
};

export function socketErrorCode(error: unknown): SocketErrorCode {
  return CODES[systemCode(error)] ?? "unknown";
}

/** `ECONNREFUSED` and the like; empty if the error has none. */
export function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
