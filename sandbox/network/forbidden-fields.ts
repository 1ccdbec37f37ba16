/** HTTP fields that a module may neither send nor set; `wasi:http/types` (WASI 0.2) leaves to the host which they are. */

/**
 * Fields that belong to the connection, which is the host's (RFC 9110 §7.6.1), and `host`: another one than the authority
 * that the allow-list was asked about would reach another site at the same address.
 */
export const FORBIDDEN_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);
