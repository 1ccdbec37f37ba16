/** `wasi:sockets/udp` (WASI 0.2): the states of a socket and its streams of datagrams; the rest is the agent's (network/udp-socket.ts). */

import { MAX_QUEUED_DATAGRAMS } from "../../limits.ts";
import type { Endpoint, SocketOption } from "../../network/protocol.ts";
import type { AddressFamily } from "../../network/rules.ts";
import type { Pollable } from "../poll.ts";
import { endpointOf, type IpSocketAddress, remoteOf, socketAddressOf } from "./addresses.ts";
import { NetworkClient, NetworkFailure, socketFailure } from "./client.ts";
import { requireNetwork } from "./network.ts";
import { bufferSize, DEFAULT_OPTIONS, notZero } from "./options.ts";

interface IncomingDatagram {
  readonly data: Uint8Array;
  readonly remoteAddress: IpSocketAddress;
}

interface OutgoingDatagram {
  readonly data: Uint8Array;
  readonly remoteAddress?: IpSocketAddress | undefined;
}

/** What a socket and its streams share: they may be dropped in any order. */
class Shared {
  readonly client: NetworkClient;
  readonly family: AddressFamily;
  readonly id: number;
  remote: Endpoint | undefined;
  /** Rises with each pair of streams: those of the pair before it are dead. */
  generation = 0;
  holders = 1;

  constructor(client: NetworkClient, family: AddressFamily, id: number) {
    this.client = client;
    this.family = family;
    this.id = id;
  }

  released(): void {
    this.holders -= 1;
    if (this.holders === 0) this.client.close(this.id);
  }
}

export class UdpSocket {
  readonly #shared: Shared;
  #state: "unbound" | "bind-in-progress" | "bound" = "unbound";
  #local: Endpoint | undefined;
  #hopLimit = DEFAULT_OPTIONS.hopLimit;
  #receiveBufferSize = DEFAULT_OPTIONS.receiveBufferSize;
  #sendBufferSize = DEFAULT_OPTIONS.sendBufferSize;

  constructor(client: NetworkClient, family: AddressFamily, id: number) {
    // A component may reach this by itself, as `[constructor]udp-socket`.
    if (!(client instanceof NetworkClient)) throw new TypeError("a socket is made by create-udp-socket");
    this.#shared = new Shared(client, family, id);
  }

  startBind(network: unknown, address: IpSocketAddress): void {
    requireNetwork(network);
    const { client, family, id } = this.#enter();
    if (this.#state === "bind-in-progress") throw socketFailure("concurrency-conflict");
    if (this.#state !== "unbound") throw socketFailure("invalid-state");
    const endpoint = endpointOf(address, family);
    this.#local = client.call({ op: "bind", id, endpoint }, ["bound"]).head.local;
    this.#state = "bind-in-progress";
  }

  finishBind(): void {
    this.#enter();
    if (this.#state !== "bind-in-progress") throw socketFailure("not-in-progress");
    this.#state = "bound";
  }

  stream(address: IpSocketAddress | undefined): [IncomingDatagramStream, OutgoingDatagramStream] {
    const { client, family, id } = this.#bound();
    const remote = address === undefined ? null : remoteOf(address, family);
    this.#shared.remote = undefined;
    this.#local = client.call({ op: "associate", id, remote }, ["bound"]).head.local;
    this.#shared.remote = remote ?? undefined;
    this.#shared.generation += 1;
    return [new IncomingDatagramStream(this.#shared), new OutgoingDatagramStream(this.#shared)];
  }

  localAddress(): IpSocketAddress {
    this.#bound();
    if (this.#local === undefined) throw socketFailure("invalid-state");
    return socketAddressOf(this.#local);
  }

  remoteAddress(): IpSocketAddress {
    const { remote } = this.#bound();
    if (remote === undefined) throw socketFailure("invalid-state");
    return socketAddressOf(remote);
  }

  addressFamily(): AddressFamily {
    return this.#enter().family;
  }

  unicastHopLimit(): number {
    this.#enter();
    return this.#hopLimit;
  }

  setUnicastHopLimit(value: number): void {
    this.#set("hop-limit", notZero(value));
    this.#hopLimit = value;
  }

  receiveBufferSize(): bigint {
    this.#enter();
    return this.#receiveBufferSize;
  }

  setReceiveBufferSize(value: bigint): void {
    const size = bufferSize(value);
    this.#set("receive-buffer-size", Number(size));
    this.#receiveBufferSize = size;
  }

  sendBufferSize(): bigint {
    this.#enter();
    return this.#sendBufferSize;
  }

  setSendBufferSize(value: bigint): void {
    const size = bufferSize(value);
    this.#set("send-buffer-size", Number(size));
    this.#sendBufferSize = size;
  }

  subscribe(): Pollable {
    return this.#enter().client.always();
  }

  [Symbol.dispose](): void {
    this.#shared.released();
  }

  #enter(): Shared {
    this.#shared.client.enterHost();
    return this.#shared;
  }

  #bound(): Shared {
    const shared = this.#enter();
    if (this.#state !== "bound") throw socketFailure("invalid-state");
    return shared;
  }

  #set(option: SocketOption, value: number): void {
    const { client, id } = this.#enter();
    client.call({ op: "set-option", id, option, value }, ["done"]);
  }
}

export class IncomingDatagramStream {
  readonly #shared: Shared;
  readonly #generation: number;

  constructor(shared: Shared) {
    this.#shared = held(shared);
    this.#generation = shared.generation;
  }

  receive(maxResults: bigint): IncomingDatagram[] {
    this.#shared.client.enterHost();
    if (this.#generation !== this.#shared.generation) throw socketFailure("invalid-state");
    const datagrams: IncomingDatagram[] = [];
    while (datagrams.length < maxResults && datagrams.length < MAX_QUEUED_DATAGRAMS) {
      const datagram = receiveOne(this.#shared, datagrams.length > 0);
      if (datagram === undefined) break;
      datagrams.push(datagram);
    }
    return datagrams;
  }

  subscribe(): Pollable {
    this.#shared.client.enterHost();
    return this.#shared.client.pollable(this.#shared.id, "read");
  }

  [Symbol.dispose](): void {
    this.#shared.released();
  }
}

export class OutgoingDatagramStream {
  readonly #shared: Shared;
  readonly #generation: number;
  #permitted = 0;

  constructor(shared: Shared) {
    this.#shared = held(shared);
    this.#generation = shared.generation;
  }

  checkSend(): bigint {
    this.#shared.client.enterHost();
    if (this.#generation !== this.#shared.generation) throw socketFailure("invalid-state");
    this.#permitted = MAX_QUEUED_DATAGRAMS;
    return BigInt(this.#permitted);
  }

  send(datagrams: readonly OutgoingDatagram[]): bigint {
    const { client, id } = this.#shared;
    client.enterHost();
    if (this.#generation !== this.#shared.generation) throw socketFailure("invalid-state");
    // "Implementations must trap if either check-send was not called or datagrams contains more items than check-send permitted."
    if (datagrams.length > this.#permitted)
      throw new Error("send of more datagrams than check-send permitted");
    this.#permitted -= datagrams.length;
    let sent = 0;
    for (const { data, remoteAddress } of datagrams) {
      try {
        const remote = this.#destination(remoteAddress);
        client.call({ op: "send", id, remote }, ["done"], data);
        sent += 1;
      } catch (error) {
        if (sent > 0 && error instanceof NetworkFailure) break;
        throw error;
      }
    }
    return BigInt(sent);
  }

  subscribe(): Pollable {
    this.#shared.client.enterHost();
    return this.#shared.client.always();
  }

  [Symbol.dispose](): void {
    this.#shared.released();
  }

  #destination(address: IpSocketAddress | undefined): Endpoint | null {
    const { family, remote } = this.#shared;
    if (address === undefined) {
      if (remote === undefined) throw socketFailure("invalid-argument");
      return null;
    }
    const endpoint = remoteOf(address, family);
    if (remote === undefined) return endpoint;
    if (remote.address !== endpoint.address || remote.port !== endpoint.port)
      throw socketFailure("invalid-argument");
    return null;
  }
}

/** A component may reach the streams' constructors by itself. */
function held(shared: Shared): Shared {
  if (!(shared instanceof Shared)) throw new TypeError("datagrams' streams are a socket's");
  shared.holders += 1;
  return shared;
}

/** A datagram that is longer than a reply comes in pieces. An error is for the next call if there is something to return. */
function receiveOne({ client, id }: Shared, isOptional: boolean): IncomingDatagram | undefined {
  try {
    const { head, payload } = client.call({ op: "receive", id, offset: 0 }, ["datagram"]);
    const remoteAddress = socketAddressOf(head.remote);
    if (payload.byteLength === head.sizeBytes) return { data: payload, remoteAddress };
    const data = new Uint8Array(head.sizeBytes);
    data.set(payload);
    for (let offset = payload.byteLength; offset < head.sizeBytes; ) {
      const piece = client.call({ op: "receive", id, offset }, ["datagram"]).payload;
      data.set(piece, offset);
      offset += piece.byteLength;
    }
    return { data, remoteAddress };
  } catch (error) {
    if (error instanceof NetworkFailure && (error.code === "would-block" || isOptional)) return undefined;
    throw error;
  }
}
