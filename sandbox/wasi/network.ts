/** `wasi:sockets` and `wasi:http` (WASI 0.2) for one module: what it imports of them is loaded, and nothing else. */

import type { NetworkInterface } from "../imports.ts";
import type { ModuleSession } from "../module-session.ts";
import type { Polling } from "./poll.ts";
import { NetworkClient } from "./sockets/client.ts";

export async function createNetwork(
  session: ModuleSession,
  polling: Polling,
  wanted: readonly NetworkInterface[],
): Promise<Partial<Record<NetworkInterface, object>>> {
  const client = new NetworkClient(session, polling);
  const interfaces: Partial<Record<NetworkInterface, object>> = {};
  if (wanted.some((name) => name.startsWith("wasi:sockets/"))) {
    const { createSockets } = await import("./sockets/sockets.ts");
    Object.assign(interfaces, createSockets(client));
  }
  if (wanted.some((name) => name.startsWith("wasi:http/"))) {
    const { createHttp } = await import("./http/http.ts");
    Object.assign(interfaces, createHttp(client));
  }
  return interfaces;
}
