/** Servers on the loopback, and modules that use them: test/sandbox/guests/sockets.rs and http.c, in the sandbox's own worker. */

import { createSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { rulesOf } from "../../devices/network-rules.ts";
import type { ModuleEnd, RunningModule } from "../../sandbox/module-spec.ts";
import type { NetworkGrants } from "../../sandbox/network/rules.ts";
import { type ModuleRecord, startRecorded } from "./run-module.ts";

const GUESTS = join(import.meta.dirname, "../sandbox/guests");

export function grantsOf(connect: readonly string[], listen: readonly string[] = []): NetworkGrants {
  return { connect: rulesOf(connect), listen: rulesOf(listen) };
}

interface GuestRun {
  readonly end: ModuleEnd;
  /** What it printed. */
  readonly lines: readonly string[];
  /** What the host remarked. */
  readonly warnings: readonly string[];
}

export function startGuest(
  guest: "sockets" | "http",
  args: readonly string[],
  network: NetworkGrants | undefined,
): { module: RunningModule; record: ModuleRecord } {
  return startRecorded({
    componentPath: join(GUESTS, `${guest}.wasm`),
    args,
    grants: { sensors: [], serial: [], publish: [], ...(network === undefined ? {} : { network }) },
    limits: { logLinesPerSecond: 1000 },
  });
}

export async function runGuest(
  guest: "sockets" | "http",
  args: readonly string[],
  network: NetworkGrants | undefined,
): Promise<GuestRun> {
  const { module, record } = startGuest(guest, args, network);
  const end = await module.done;
  const of = (level: string) => record.of("log").flatMap((line) => (line.level === level ? [line.text] : []));
  return { end, lines: of("info"), warnings: of("warning") };
}

/** A TCP server that is gone when the test is over, its connections too. */
export async function tcpServer(
  t: ExecutionContext,
  serve: (socket: Socket) => void,
  host = "127.0.0.1",
): Promise<{ server: Server; port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, host, resolve);
  await promise;
  const address = server.address();
  return { server, port: typeof address === "object" && address !== null ? address.port : 0, sockets };
}

/** A UDP socket that answers each datagram with `re:` and the datagram. */
export async function udpEcho(
  t: ExecutionContext,
  host = "127.0.0.1",
): Promise<{ port: number; received: string[] }> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  t.teardown(() => void socket.close());
  const received: string[] = [];
  socket.on("message", (data, from) => {
    received.push(data.toString());
    socket.send(`re:${data}`, from.port, from.address);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.bind(0, host, resolve);
  await promise;
  return { port: socket.address().port, received };
}
