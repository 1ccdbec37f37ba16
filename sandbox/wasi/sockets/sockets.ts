/** `wasi:sockets` (WASI 0.2) for one module, by interface. Loaded for components that import it. */

import type { AddressFamily } from "../../network/rules.ts";
import type { NetworkClient } from "./client.ts";
import { ResolveAddressStream, resolveAddresses } from "./lookup.ts";
import { Network } from "./network.ts";
import { TcpSocket } from "./tcp.ts";
import { IncomingDatagramStream, OutgoingDatagramStream, UdpSocket } from "./udp.ts";

export function createSockets(client: NetworkClient) {
  return {
    "wasi:sockets/instance-network": { instanceNetwork: () => new Network() },
    "wasi:sockets/network": {
      Network,
      networkErrorCode: (error: object) => {
        const payload = client.failureOf(error)?.payload;
        return typeof payload === "string" ? payload : undefined;
      },
    },
    "wasi:sockets/ip-name-lookup": {
      ResolveAddressStream,
      resolveAddresses: (network: unknown, name: string) => resolveAddresses(client, network, name),
    },
    "wasi:sockets/tcp": { TcpSocket },
    "wasi:sockets/tcp-create-socket": {
      createTcpSocket: (family: AddressFamily) =>
        new TcpSocket(
          client,
          family,
          client.call({ op: "create", protocol: "tcp", family }, ["opened"]).head.id,
        ),
    },
    "wasi:sockets/udp": { UdpSocket, IncomingDatagramStream, OutgoingDatagramStream },
    "wasi:sockets/udp-create-socket": {
      createUdpSocket: (family: AddressFamily) =>
        new UdpSocket(
          client,
          family,
          client.call({ op: "create", protocol: "udp", family }, ["opened"]).head.id,
        ),
    },
  };
}
