/** What a worker asks of the network, narrowed from `unknown`: shapes and sizes; what is allowed, network-calls.ts decides. */

import {
  MAX_HOST_NAME_LENGTH,
  MAX_HTTP_WAIT_MS,
  MAX_NETWORK_PIECE_BYTES,
  MAX_NETWORK_WAIT_MS,
  MAX_NETWORK_WAITS,
  MAX_PORT,
  MAX_URI_LENGTH,
} from "../limits.ts";
import type { Awaited, Endpoint, HttpRequestHead, NetworkCall } from "./protocol.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Names the member that is wrong. */
export class MalformedCall extends Error {
  override readonly name = "MalformedCall";
}

/** The longest text of an address, zone excluded. */
const MAX_ADDRESS_LENGTH = 45;
const MAX_METHOD_LENGTH = 32;
/** A host's name, a port, and brackets. */
const MAX_AUTHORITY_LENGTH = MAX_HOST_NAME_LENGTH + 8;

/** @throws MalformedCall */
export function parseNetworkCall(value: unknown): NetworkCall {
  const call = fields(value);
  const op = call["op"];
  switch (op) {
    case "create":
      return {
        op,
        protocol: oneOf(call, "protocol", ["tcp", "udp"]),
        family: oneOf(call, "family", ["ipv4", "ipv6"]),
      };
    case "bind":
    case "connect":
      return { op, id: id(call), endpoint: endpoint(call["endpoint"]) };
    case "finish-connect":
    case "accept":
    case "check-write":
    case "write":
    case "resolved":
    case "finish-body":
    case "close":
      return { op, id: id(call) };
    case "response":
    case "trailers":
    case "receive":
      return { op, id: id(call), offset: integer(call, "offset", Number.MAX_SAFE_INTEGER) };
    case "listen":
      return { op, id: id(call), backlog: integer(call, "backlog", Number.MAX_SAFE_INTEGER) };
    case "read":
      return { op, id: id(call), maxBytes: integer(call, "maxBytes", MAX_NETWORK_PIECE_BYTES) };
    case "shutdown":
      return { op, id: id(call), direction: oneOf(call, "direction", ["receive", "send", "both"]) };
    case "associate":
    case "send":
      return { op, id: id(call), remote: call["remote"] === null ? null : endpoint(call["remote"]) };
    case "resolve":
      return { op, name: text(call, "name", MAX_HOST_NAME_LENGTH) };
    default:
      return parseLongCall(op, call);
  }
}

function parseLongCall(op: unknown, call: Fields): NetworkCall {
  switch (op) {
    case "set-option":
      return {
        op,
        id: id(call),
        option: oneOf(call, "option", ["keep-alive", "hop-limit", "receive-buffer-size", "send-buffer-size"]),
        value: integer(call, "value", Number.MAX_SAFE_INTEGER),
      };
    case "request":
      return { op, head: requestHead(fields(call["head"])) };
    case "wait": {
      const awaited: unknown = call["for"];
      if (!Array.isArray(awaited) || awaited.length > MAX_NETWORK_WAITS) throw new MalformedCall("for");
      return {
        op,
        for: awaited.map(parseAwaited),
        timeoutMs: integer(call, "timeoutMs", MAX_NETWORK_WAIT_MS),
      };
    }
    default:
      throw new MalformedCall("op");
  }
}

function requestHead(head: Fields): HttpRequestHead {
  return {
    method: text(head, "method", MAX_METHOD_LENGTH),
    scheme: oneOf(head, "scheme", ["http", "https"]),
    authority: text(head, "authority", MAX_AUTHORITY_LENGTH),
    pathWithQuery: text(head, "pathWithQuery", MAX_URI_LENGTH),
    hasBody: head["hasBody"] === true,
    connectTimeoutMs: integer(head, "connectTimeoutMs", MAX_HTTP_WAIT_MS),
    firstByteTimeoutMs: integer(head, "firstByteTimeoutMs", MAX_HTTP_WAIT_MS),
    betweenBytesTimeoutMs: integer(head, "betweenBytesTimeoutMs", MAX_HTTP_WAIT_MS),
  };
}

function parseAwaited(value: unknown): Awaited {
  const awaited = fields(value);
  return { id: id(awaited), interest: oneOf(awaited, "interest", ["read", "write", "done", "end"]) };
}

function endpoint(value: unknown): Endpoint {
  const from = fields(value);
  return { address: text(from, "address", MAX_ADDRESS_LENGTH), port: integer(from, "port", MAX_PORT) };
}

function fields(value: unknown): Fields {
  if (typeof value !== "object" || value === null) throw new MalformedCall("shape");
  return { ...value };
}

function id(from: Fields): number {
  return integer(from, "id", Number.MAX_SAFE_INTEGER);
}

function text(from: Fields, key: string, maxLength: number): string {
  const value = from[key];
  if (typeof value !== "string" || value.length > maxLength) throw new MalformedCall(key);
  return value;
}

function integer(from: Fields, key: string, most: number): number {
  const value = from[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > most) {
    throw new MalformedCall(key);
  }
  return value;
}

function oneOf<Choice extends string>(from: Fields, key: string, choices: readonly Choice[]): Choice {
  const chosen = choices.find((choice) => choice === from[key]);
  if (chosen === undefined) throw new MalformedCall(key);
  return chosen;
}
