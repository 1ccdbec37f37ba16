/** A TCP proxy on 127.0.0.1 that a test can cut: the line between a device and its broker. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { ExecutionContext } from "ava";

export interface Proxy {
  readonly port: number;
  /** All connections break, and nobody listens any more. */
  cut(): Promise<void>;
  /** Listens again, on the same port. */
  restore(): Promise<void>;
}

export async function startProxy(t: ExecutionContext, targetPort: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const listen = async (port: number): Promise<Server> => {
    const server = createServer((near) => {
      const far = connect(targetPort, "127.0.0.1");
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket);
        // A broken line breaks at both ends; why does not matter here.
        socket.on("error", () => undefined);
        socket.on("close", () => {
          sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    }).listen(port, "127.0.0.1");
    await once(server, "listening");
    return server;
  };
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const cut = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  t.teardown(cut);
  return {
    port,
    cut,
    restore: async () => {
      server = await listen(port);
    },
  };
}
