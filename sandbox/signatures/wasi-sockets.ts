/** wasi:sockets 0.2, with what its patch versions up to 0.2.12 added: what its interfaces have (notation.ts). */

import {
  bool,
  borrow,
  enumeration,
  func,
  type InterfaceSignature,
  list,
  methods,
  none,
  option,
  own,
  record,
  resource,
  result,
  string,
  tuple,
  u8,
  u16,
  u32,
  u64,
  variant,
} from "./notation.ts";
import { inputStream, ioError, outputStream, pollable } from "./wasi-io.ts";

const errorCode = enumeration(
  "unknown",
  "access-denied",
  "not-supported",
  "invalid-argument",
  "out-of-memory",
  "timeout",
  "concurrency-conflict",
  "not-in-progress",
  "would-block",
  "invalid-state",
  "new-socket-limit",
  "address-not-bindable",
  "address-in-use",
  "remote-unreachable",
  "connection-refused",
  "connection-reset",
  "connection-aborted",
  "datagram-too-large",
  "name-unresolvable",
  "temporary-resolver-failure",
  "permanent-resolver-failure",
);
const network = resource("network");
const ipAddress = variant({
  ipv4: tuple(u8, u8, u8, u8),
  ipv6: tuple(u16, u16, u16, u16, u16, u16, u16, u16),
});
const ipv4SocketAddress = record({ port: u16, address: tuple(u8, u8, u8, u8) });
const ipv6SocketAddress = record({
  port: u16,
  "flow-info": u32,
  address: tuple(u16, u16, u16, u16, u16, u16, u16, u16),
  "scope-id": u32,
});
const ipSocketAddress = variant({ ipv4: ipv4SocketAddress, ipv6: ipv6SocketAddress });
const ipAddressFamily = enumeration("ipv4", "ipv6");
const resolveAddressStream = resource("resolve-address-stream");
const tcpSocket = resource("tcp-socket");
const shutdownType = enumeration("receive", "send", "both");
const udpSocket = resource("udp-socket");
const incomingDatagramStream = resource("incoming-datagram-stream");
const outgoingDatagramStream = resource("outgoing-datagram-stream");
const incomingDatagram = record({ data: list(u8), "remote-address": ipSocketAddress });
const outgoingDatagram = record({ data: list(u8), "remote-address": option(ipSocketAddress) });

export const wasiSockets = {
  "wasi:sockets/network": {
    resources: { error: ioError, network },
    functions: {
      "network-error-code": func({ err: borrow(ioError) }, option(errorCode)),
    },
  },
  "wasi:sockets/instance-network": {
    resources: { network },
    functions: {
      "instance-network": func({}, own(network)),
    },
  },
  "wasi:sockets/ip-name-lookup": {
    resources: { network, "resolve-address-stream": resolveAddressStream, pollable },
    functions: {
      "resolve-addresses": func(
        { network: borrow(network), name: string },
        result(own(resolveAddressStream), errorCode),
      ),
      ...methods("resolve-address-stream", resolveAddressStream, {
        "resolve-next-address": func({}, result(option(ipAddress), errorCode)),
        subscribe: func({}, own(pollable)),
      }),
    },
  },
  "wasi:sockets/tcp": {
    resources: {
      "tcp-socket": tcpSocket,
      network,
      "input-stream": inputStream,
      "output-stream": outputStream,
      pollable,
    },
    functions: {
      ...methods("tcp-socket", tcpSocket, {
        "start-bind": func(
          { network: borrow(network), "local-address": ipSocketAddress },
          result(none, errorCode),
        ),
        "finish-bind": func({}, result(none, errorCode)),
        "start-connect": func(
          { network: borrow(network), "remote-address": ipSocketAddress },
          result(none, errorCode),
        ),
        "finish-connect": func({}, result(tuple(own(inputStream), own(outputStream)), errorCode)),
        "start-listen": func({}, result(none, errorCode)),
        "finish-listen": func({}, result(none, errorCode)),
        accept: func({}, result(tuple(own(tcpSocket), own(inputStream), own(outputStream)), errorCode)),
        "local-address": func({}, result(ipSocketAddress, errorCode)),
        "remote-address": func({}, result(ipSocketAddress, errorCode)),
        "is-listening": func({}, bool),
        "address-family": func({}, ipAddressFamily),
        "set-listen-backlog-size": func({ value: u64 }, result(none, errorCode)),
        "keep-alive-enabled": func({}, result(bool, errorCode)),
        "set-keep-alive-enabled": func({ value: bool }, result(none, errorCode)),
        "keep-alive-idle-time": func({}, result(u64, errorCode)),
        "set-keep-alive-idle-time": func({ value: u64 }, result(none, errorCode)),
        "keep-alive-interval": func({}, result(u64, errorCode)),
        "set-keep-alive-interval": func({ value: u64 }, result(none, errorCode)),
        "keep-alive-count": func({}, result(u32, errorCode)),
        "set-keep-alive-count": func({ value: u32 }, result(none, errorCode)),
        "hop-limit": func({}, result(u8, errorCode)),
        "set-hop-limit": func({ value: u8 }, result(none, errorCode)),
        "receive-buffer-size": func({}, result(u64, errorCode)),
        "set-receive-buffer-size": func({ value: u64 }, result(none, errorCode)),
        "send-buffer-size": func({}, result(u64, errorCode)),
        "set-send-buffer-size": func({ value: u64 }, result(none, errorCode)),
        subscribe: func({}, own(pollable)),
        shutdown: func({ "shutdown-type": shutdownType }, result(none, errorCode)),
      }),
    },
  },
  "wasi:sockets/tcp-create-socket": {
    resources: { "tcp-socket": tcpSocket },
    functions: {
      "create-tcp-socket": func({ "address-family": ipAddressFamily }, result(own(tcpSocket), errorCode)),
    },
  },
  "wasi:sockets/udp": {
    resources: {
      "udp-socket": udpSocket,
      network,
      "incoming-datagram-stream": incomingDatagramStream,
      "outgoing-datagram-stream": outgoingDatagramStream,
      pollable,
    },
    functions: {
      ...methods("udp-socket", udpSocket, {
        "start-bind": func(
          { network: borrow(network), "local-address": ipSocketAddress },
          result(none, errorCode),
        ),
        "finish-bind": func({}, result(none, errorCode)),
        stream: func(
          { "remote-address": option(ipSocketAddress) },
          result(tuple(own(incomingDatagramStream), own(outgoingDatagramStream)), errorCode),
        ),
        "local-address": func({}, result(ipSocketAddress, errorCode)),
        "remote-address": func({}, result(ipSocketAddress, errorCode)),
        "address-family": func({}, ipAddressFamily),
        "unicast-hop-limit": func({}, result(u8, errorCode)),
        "set-unicast-hop-limit": func({ value: u8 }, result(none, errorCode)),
        "receive-buffer-size": func({}, result(u64, errorCode)),
        "set-receive-buffer-size": func({ value: u64 }, result(none, errorCode)),
        "send-buffer-size": func({}, result(u64, errorCode)),
        "set-send-buffer-size": func({ value: u64 }, result(none, errorCode)),
        subscribe: func({}, own(pollable)),
      }),
      ...methods("incoming-datagram-stream", incomingDatagramStream, {
        receive: func({ "max-results": u64 }, result(list(incomingDatagram), errorCode)),
        subscribe: func({}, own(pollable)),
      }),
      ...methods("outgoing-datagram-stream", outgoingDatagramStream, {
        "check-send": func({}, result(u64, errorCode)),
        send: func({ datagrams: list(outgoingDatagram) }, result(u64, errorCode)),
        subscribe: func({}, own(pollable)),
      }),
    },
  },
  "wasi:sockets/udp-create-socket": {
    resources: { "udp-socket": udpSocket },
    functions: {
      "create-udp-socket": func({ "address-family": ipAddressFamily }, result(own(udpSocket), errorCode)),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
