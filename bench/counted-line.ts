/** A line between a device and its broker that counts the bytes which the device receives, MQTT's own among them. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CountedLine {
  readonly url: string;
  /** Bytes from the broker to the device so far. */
  readonly receivedBytes: number;
  /** Breaks the connections; the device connects again. */
  cut(): void;
  dispose(): void;
}

export async function startCountedLine(brokerUrl: string): Promise<CountedLine> {
  const { hostname, port } = new URL(brokerUrl);
  const sockets = new Set<Socket>();
  let receivedBytes = 0;
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    far.on("data", (chunk: Buffer) => {
      receivedBytes += chunk.length;
    });
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
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get receivedBytes() {
      return receivedBytes;
    },
    cut,
    dispose() {
      server.close();
      cut();
    },
  };
}
