/**
 * A UDP socket on the agent's side. Datagrams go to places that the allow-list has; they come from those too, or from
 * everywhere where the module may listen at the address that the socket is bound to. Who was heard there may be answered, as a
 * connection that was accepted may.
 */

import type { RemoteInfo, Socket } from "node:dgram";
import {
  MAX_DATAGRAM_BYTES,
  MAX_DATAGRAM_QUEUE_BYTES,
  MAX_HEARD_SENDERS,
  MAX_NETWORK_PIECE_BYTES,
  MAX_QUEUED_DATAGRAMS,
} from "../limits.ts";
import { type Answer, DONE, failed, type Handle, type NetworkContext, WOULD_BLOCK } from "./handle.ts";
import type { Endpoint, Interest, SocketErrorCode, SocketOption } from "./protocol.ts";
import type { AddressFamily } from "./rules.ts";
import { socketErrorCode } from "./socket-errors.ts";
import { canonicalAddress } from "./special-addresses.ts";

interface Datagram {
  readonly data: Uint8Array;
  readonly remote: Endpoint;
}

export class UdpSocket implements Handle {
  readonly #context: NetworkContext;
  readonly #family: AddressFamily;
  readonly #options = new Map<SocketOption, number>();
  #socket: Socket | undefined;
  #isBusy = false;
  #isClosed = false;
  #hearsAll = false;
  /** Who was heard where the module listens, the latest last. */
  readonly #heard = new Set<string>();
  #remote: Endpoint | undefined;
  #queue: Datagram[] = [];
  #queueBytes = 0;
  #failure: SocketErrorCode | undefined;

  constructor(context: NetworkContext, family: AddressFamily) {
    this.#context = context;
    this.#family = family;
  }

  async bind({ address: text, port }: Endpoint): Promise<Answer> {
    if (this.#socket !== undefined || this.#isBusy) return failed("invalid-state");
    const address = canonicalAddress(text, this.#family);
    if (address === undefined) return failed("invalid-argument");
    const { allowList } = this.#context;
    this.#hearsAll = allowList.allowsListening({ address, family: this.#family, port, protocol: "udp" });
    if (!this.#hearsAll && !(port === 0 && allowList.allowsAny("udp"))) {
      this.#context.refused(`listening at ${address} port ${port}/udp`);
      return failed("access-denied");
    }
    this.#isBusy = true;
    try {
      return await this.#bindTo(address, port);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Limits the socket to one far end, or to none; what has arrived before is dropped. */
  async associate(remote: Endpoint | null): Promise<Answer> {
    const socket = this.#socket;
    if (socket === undefined || this.#isBusy) return failed("invalid-state");
    const place = remote === null ? undefined : this.#allowed(remote);
    if (typeof place === "string") return failed(place);
    if (this.#remote !== undefined) socket.disconnect();
    this.#remote = undefined;
    this.#queue = [];
    this.#queueBytes = 0;
    if (place !== undefined) {
      this.#isBusy = true;
      const { promise, resolve } = Promise.withResolvers<unknown>();
      socket.connect(place.port, place.address, (...errors: unknown[]) => resolve(errors[0]));
      const error = await promise;
      this.#isBusy = false;
      if (error !== undefined) return failed(socketErrorCode(error));
      this.#remote = place;
    }
    return { head: { tag: "bound", local: localOf(socket) } };
  }

  async send(remote: Endpoint | null, data: Uint8Array): Promise<Answer> {
    const socket = this.#socket;
    if (socket === undefined || this.#isBusy) return failed("invalid-state");
    if (data.byteLength > MAX_DATAGRAM_BYTES) return failed("datagram-too-large");
    if (this.#failure !== undefined) return this.#takeFailure(this.#failure);
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    if (this.#remote !== undefined) {
      socket.send(data, (error) => resolve(error));
    } else {
      const place = remote === null ? "invalid-argument" : this.#allowed(remote);
      if (typeof place === "string") return failed(place);
      socket.send(data, place.port, place.address, (error) => resolve(error));
    }
    const error = await promise;
    return error === null || error === undefined ? DONE : failed(socketErrorCode(error));
  }

  receive(offset: number): Answer {
    const [first] = this.#queue;
    if (first === undefined) {
      return this.#failure === undefined ? WOULD_BLOCK : this.#takeFailure(this.#failure);
    }
    const payload = first.data.subarray(offset, offset + MAX_NETWORK_PIECE_BYTES);
    const sizeBytes = first.data.byteLength;
    if (offset + payload.byteLength >= sizeBytes) {
      this.#queue.shift();
      this.#queueBytes -= sizeBytes;
    }
    return { head: { tag: "datagram", remote: first.remote, sizeBytes }, payload };
  }

  setOption(option: SocketOption, value: number): Answer {
    this.#options.set(option, value);
    return this.#socket === undefined ? DONE : applyOption(this.#socket, option, value);
  }

  isReady(interest: Interest): boolean {
    return interest !== "read" || this.#queue.length > 0 || this.#failure !== undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#queue = [];
    socket?.close();
  }

  async #bindTo(address: string, port: number): Promise<Answer> {
    const { createSocket } = await import("node:dgram");
    const isIpv6 = this.#family === "ipv6";
    const socket = createSocket({ type: isIpv6 ? "udp6" : "udp4", ipv6Only: isIpv6 });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    socket.once("error", resolve);
    socket.bind({ address, port, exclusive: true }, () => resolve(undefined));
    const error = await promise;
    if (error !== undefined) {
      socket.close();
      return failed(socketErrorCode(error));
    }
    socket.removeAllListeners("error");
    socket.on("error", (late) => {
      this.#failure = socketErrorCode(late);
      this.#context.changed();
    });
    socket.on("message", (data, from) => this.#arrived(data, from));
    for (const [option, value] of this.#options) applyOption(socket, option, value);
    if (this.#isClosed) {
      // The module has ended meanwhile.
      socket.close();
      return failed("invalid-state");
    }
    this.#socket = socket;
    return { head: { tag: "bound", local: localOf(socket) } };
  }

  #allowed({ address: text, port }: Endpoint): Endpoint | SocketErrorCode {
    const address = canonicalAddress(text, this.#family);
    if (address === undefined) return "invalid-argument";
    const place = { address, family: this.#family, port, protocol: "udp" } as const;
    if (!this.#heard.has(`${address} ${port}`) && !this.#context.allowList.allowsPlace(place)) {
      this.#context.refused(`sending to ${address} port ${port}/udp`);
      return "access-denied";
    }
    return { address, port };
  }

  #arrived(data: Uint8Array, from: RemoteInfo): void {
    const address = canonicalAddress(from.address.replace(/%.*$/, ""), this.#family);
    if (address === undefined || data.byteLength > MAX_DATAGRAM_BYTES) return;
    const place = { address, family: this.#family, port: from.port, protocol: "udp" } as const;
    if (!this.#hearsAll && !this.#context.allowList.allowsPlace(place)) return;
    const isFull = this.#queueBytes + data.byteLength > MAX_DATAGRAM_QUEUE_BYTES && this.#queue.length > 0;
    if (isFull || this.#queue.length >= MAX_QUEUED_DATAGRAMS) return;
    this.#queue.push({ data, remote: { address, port: from.port } });
    this.#queueBytes += data.byteLength;
    if (this.#hearsAll) this.#remember(`${address} ${from.port}`);
    this.#context.changed();
  }

  #remember(sender: string): void {
    this.#heard.delete(sender);
    this.#heard.add(sender);
    const [oldest] = this.#heard;
    if (this.#heard.size > MAX_HEARD_SENDERS && oldest !== undefined) this.#heard.delete(oldest);
  }

  #takeFailure(code: SocketErrorCode): Answer {
    this.#failure = undefined;
    return failed(code);
  }
}

function applyOption(socket: Socket, option: SocketOption, value: number): Answer {
  try {
    switch (option) {
      case "hop-limit":
        socket.setTTL(value);
        break;
      case "receive-buffer-size":
        socket.setRecvBufferSize(Math.min(value, MAX_DATAGRAM_QUEUE_BYTES));
        break;
      case "send-buffer-size":
        socket.setSendBufferSize(Math.min(value, MAX_DATAGRAM_QUEUE_BYTES));
        break;
      case "keep-alive":
        break;
    }
    return DONE;
  } catch (error) {
    return failed(socketErrorCode(error));
  }
}

function localOf(socket: Socket): Endpoint {
  const { address, port } = socket.address();
  return { address, port };
}
