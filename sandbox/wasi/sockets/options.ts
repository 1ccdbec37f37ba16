/**
 * Options of sockets, checked and remembered as `wasi:sockets` (WASI 0.2) has them. Keep-alive, and a UDP socket's hop limit
 * and buffer sizes, are the system's too; what node has no way to set is a hint that is only remembered, as the WIT allows.
 */

import { socketFailure } from "./client.ts";

const SECOND_NS = 1_000_000_000n;
const MAX_KEEP_ALIVE_NS = 32_767n * SECOND_NS;
const MAX_KEEP_ALIVE_COUNT = 127;
/** Linux's own bounds, roughly. */
const MIN_BUFFER_BYTES = 4096n;
const MAX_BUFFER_BYTES = 8n * 1024n * 1024n;

/** As a new socket has them; an accepted one has its listener's. */
export interface SocketOptions {
  keepAliveEnabled: boolean;
  keepAliveIdleTime: bigint;
  keepAliveInterval: bigint;
  keepAliveCount: number;
  hopLimit: number;
  receiveBufferSize: bigint;
  sendBufferSize: bigint;
}

export const DEFAULT_OPTIONS: Readonly<SocketOptions> = {
  keepAliveEnabled: false,
  keepAliveIdleTime: 7200n * SECOND_NS,
  keepAliveInterval: 75n * SECOND_NS,
  keepAliveCount: 9,
  hopLimit: 64,
  receiveBufferSize: 65_536n,
  sendBufferSize: 65_536n,
};

/** @throws NetworkFailure `invalid-argument` for 0, here and below */
export function keepAliveTime(valueNs: bigint): bigint {
  const wholeSeconds = ((notZero(valueNs) + SECOND_NS - 1n) / SECOND_NS) * SECOND_NS;
  return wholeSeconds > MAX_KEEP_ALIVE_NS ? MAX_KEEP_ALIVE_NS : wholeSeconds;
}

export function keepAliveCount(value: number): number {
  return Math.min(notZero(value), MAX_KEEP_ALIVE_COUNT);
}

export function bufferSize(value: bigint): bigint {
  const atLeast = notZero(value) < MIN_BUFFER_BYTES ? MIN_BUFFER_BYTES : value;
  return atLeast > MAX_BUFFER_BYTES ? MAX_BUFFER_BYTES : atLeast;
}

export function notZero<Value extends number | bigint>(value: Value): Value {
  if (Number(value) === 0) throw socketFailure("invalid-argument");
  return value;
}
