/** HTTP fields that a module may send or set (RFC 9110 §5); `wasi:http/types` (WASI 0.2) leaves to the host which are forbidden. */

/** A token (RFC 9110 §5.6.2): a field's name, a method. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Fields that belong to the connection, which is the host's (RFC 9110 §7.6.1), and `host`: another one than the authority
 * that the allow-list was asked about would reach another site at the same address.
 */
const FORBIDDEN_FIELDS: ReadonlySet<string> = new Set([
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

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether a field is the host's to set, whatever its case. */
export function isForbiddenField(name: string): boolean {
  return FORBIDDEN_FIELDS.has(name.toLowerCase());
}

/** No line's end and no NUL, which would end the field for somebody (RFC 9110 §5.5). */
export function isFieldValue(value: Uint8Array): boolean {
  return !value.some((byte) => (byte < 0x20 && byte !== 0x09) || byte === 0x7f);
}
