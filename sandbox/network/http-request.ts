/**
 * What an HTTP request of a module has to be before it is sent: RFC 9110 and 9112, as far as a client could use them to
 * say something else than the allow-list understood. Pure.
 */

import { isIPv4 } from "node:net";
import { MAX_PORT } from "../limits.ts";
import type { AllowList } from "./allow-list.ts";
import { isFieldValue, isForbiddenField, isToken } from "./fields.ts";
import type { HeaderField } from "./header-block.ts";
import type { HttpErrorCode, HttpRequestHead } from "./protocol.ts";
import { canonicalAddress } from "./special-addresses.ts";

/** Where a request goes. */
export interface Target {
  /** A name in lower case, or an address in canonical form. */
  readonly host: string;
  readonly family: "ipv4" | "ipv6" | undefined;
  readonly port: number;
  /** What stands in the Host header. */
  readonly authority: string;
}

const AUTHORITY = /^(?<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>\d{1,5}))?$/;
/** `*` by itself is a request about the server (RFC 9112 §3.2.4). */
const PATH = /^(?:[/?][\x21\x24-\x7e]*|\*)$/;
const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** The target of a request, or why it can't be one. */
export function targetOf({ scheme, authority }: HttpRequestHead): Target | HttpErrorCode {
  const groups = AUTHORITY.exec(authority)?.groups;
  const port = groups?.["port"] === undefined ? DEFAULT_PORTS[scheme] : Number(groups["port"]);
  const host = groups?.["host"]?.toLowerCase().replace(/\.$/, "");
  if (host === undefined || host === "" || port === 0 || port > MAX_PORT) return "HTTP-request-URI-invalid";
  if (!host.startsWith("[") && !isIPv4(host)) {
    // A resolver would take such a name for an address.
    if (/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(host)) return "HTTP-request-URI-invalid";
    return { host, family: undefined, port, authority };
  }
  const family = isIPv4(host) ? "ipv4" : "ipv6";
  const address = canonicalAddress(host.replace(/^\[|\]$/g, ""), family);
  return address === undefined ? "HTTP-request-URI-invalid" : { host: address, family, port, authority };
}

/** Whether the module may send requests there; what a name leads to is looked at when it is resolved. */
export function allowsTarget(allowList: AllowList, { host, family, port }: Target): boolean {
  return family === undefined
    ? allowList.allowsName(host, port)
    : allowList.allowsPlace({ address: host, family, port, protocol: "tcp" });
}

/** Why a request is refused before anything is sent, or undefined. */
export function requestProblem(
  { method, pathWithQuery, hasBody }: HttpRequestHead,
  fields: readonly HeaderField[],
): HttpErrorCode | undefined {
  // CONNECT would make a tunnel of the far end, to wherever the module likes.
  if (!isToken(method) || method.toUpperCase() === "CONNECT") return "HTTP-request-method-invalid";
  if (!PATH.test(pathWithQuery)) return "HTTP-request-URI-invalid";
  if (!areSendable(fields)) return "HTTP-request-denied";
  const length = contentLength(fields);
  // Without a body the far end would wait for what was announced, or take the next request for it.
  return length === "invalid" || (!hasBody && (length ?? 0) > 0) ? "HTTP-request-body-size" : undefined;
}

/** Whether all of them are fields that a module may send. */
export function areSendable(fields: readonly HeaderField[]): boolean {
  return fields.every(([name, value]) => isToken(name) && !isForbiddenField(name) && isFieldValue(value));
}

/** The one Content-Length that a request declares. */
export function contentLength(fields: readonly HeaderField[]): number | "invalid" | undefined {
  const declared = fields.filter(([name]) => name.toLowerCase() === "content-length");
  const [first] = declared;
  if (first === undefined) return undefined;
  const text = Buffer.from(first[1]).toString("latin1");
  const bytes = Number(text);
  return declared.length > 1 || !/^\d{1,15}$/.test(text) ? "invalid" : bytes;
}
