/** Errors of node's HTTP client as `error-code` of `wasi:http/types` (WASI 0.2). */

import { LookupFailure } from "./handle.ts";
import type { HttpErrorCode, SocketErrorCode } from "./protocol.ts";
import { systemCode } from "./socket-errors.ts";

const LOOKUP_CODES: Partial<Readonly<Record<SocketErrorCode, HttpErrorCode>>> = {
  "access-denied": "destination-IP-prohibited",
  "temporary-resolver-failure": "DNS-timeout",
};

const SYSTEM_CODES: Readonly<Record<string, HttpErrorCode>> = {
  ECONNREFUSED: "connection-refused",
  ECONNRESET: "connection-terminated",
  EPIPE: "connection-terminated",
  ETIMEDOUT: "connection-timeout",
  EHOSTUNREACH: "destination-unavailable",
  ENETUNREACH: "destination-unavailable",
  HPE_HEADER_OVERFLOW: "HTTP-response-header-section-size",
};

/** What OpenSSL's verification and node's own check of the name answer with. */
const CERTIFICATE_CODE =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_PURPOSE|INVALID_CA)/;

export function httpErrorCode(error: unknown): HttpErrorCode {
  if (error instanceof LookupFailure) return LOOKUP_CODES[error.code] ?? "DNS-error";
  const code = systemCode(error);
  const known = SYSTEM_CODES[code];
  if (known !== undefined) return known;
  if (CERTIFICATE_CODE.test(code)) return "TLS-certificate-error";
  if (code === "EPROTO" || code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_"))
    return "TLS-protocol-error";
  return code.startsWith("HPE_") ? "HTTP-protocol-error" : "internal-error";
}
