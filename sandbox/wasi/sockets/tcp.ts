/**
 * `wasi:sockets/tcp` (WASI 0.2; TcpSocketOperationalSemantics.md): the states of a socket, and what each allows. What
 * the network does, the agent answers (network/tcp-socket.ts).
 *
 *     unbound → bind-in-progress → bound → listen-in-progress → listening
 *     unbound, bound → connect-in-progress → connected, or closed
 *
 * Binding and listening are done when they are started; only a connection takes its time.
 */

import type { Endpoint } from "../../network/protocol.ts";
import type { AddressFamily } from "../../network/rules.ts";
import type { Ends } from "../../network/tcp-connection.ts";
import type { Pollable } from "../poll.ts";
import type { InputStream, OutputStream } from "../streams.ts";
import { endpointOf, type IpSocketAddress, isUnicast, remoteOf, socketAddressOf } from "./addresses.ts";
import { NetworkClient, NetworkFailure, socketFailure } from "./client.ts";
import { requireNetwork } from "./network.ts";
import {
  bufferSize,
  DEFAULT_OPTIONS,
  keepAliveCount,
  keepAliveTime,
  notZero,
  type SocketOptions,
} from "./options.ts";
import { networkInput, networkOutput } from "./streams.ts";

type State =
  | "unbound"
  | "bind-in-progress"
  | "bound"
  | "listen-in-progress"
  | "listening"
  | "connect-in-progress"
  | "connected"
  | "closed";

type Streams = [InputStream, OutputStream];

export class TcpSocket {
  readonly #client: NetworkClient;
  readonly #family: AddressFamily;
  readonly #id: number;
  readonly #options: SocketOptions;
  #state: State;
  #local: Endpoint | undefined;
  #remote: Endpoint | undefined;
  /** Of the socket and its two streams, how many the guest still has. */
  #holders = 1;

  constructor(
    client: NetworkClient,
    family: AddressFamily,
    id: number,
    accepted?: Ends,
    options?: SocketOptions,
  ) {
    // A component may reach this by itself, as `[constructor]tcp-socket`.
    if (!(client instanceof NetworkClient)) throw new TypeError("a socket is made by create-tcp-socket");
    this.#client = client;
    this.#family = family;
    this.#id = id;
    this.#options = { ...DEFAULT_OPTIONS, ...options };
    this.#state = accepted === undefined ? "unbound" : "connected";
    this.#local = accepted?.local;
    this.#remote = accepted?.remote;
  }

  startBind(network: unknown, address: IpSocketAddress): void {
    requireNetwork(network);
    this.#enter("unbound");
    if (!isUnicast(address)) throw socketFailure("invalid-argument");
    const endpoint = endpointOf(address, this.#family);
    this.#local = this.#client.call({ op: "bind", id: this.#id, endpoint }, ["bound"]).head.local;
    this.#state = "bind-in-progress";
  }

  finishBind(): void {
    this.#finish("bind-in-progress", "bound");
  }

  startConnect(network: unknown, address: IpSocketAddress): void {
    requireNetwork(network);
    this.#enter("unbound", "bound");
    if (!isUnicast(address)) throw socketFailure("invalid-argument");
    const endpoint = remoteOf(address, this.#family);
    try {
      this.#client.call({ op: "connect", id: this.#id, endpoint }, ["done"]);
    } catch (error) {
      this.#state = "closed";
      throw error;
    }
    this.#state = "connect-in-progress";
  }

  finishConnect(): Streams {
    this.#inProgress("connect-in-progress");
    try {
      const { head } = this.#client.call({ op: "finish-connect", id: this.#id }, ["connected"]);
      this.#local = head.local;
      this.#remote = head.remote;
    } catch (error) {
      if (error instanceof NetworkFailure && error.code !== "would-block") this.#state = "closed";
      throw error;
    }
    this.#state = "connected";
    this.#apply("keep-alive", this.#options.keepAliveEnabled ? 1 : 0);
    return this.#streams();
  }

  startListen(): void {
    this.#enter("bound");
    this.#client.call({ op: "listen", id: this.#id, backlog: 0 }, ["done"]);
    this.#state = "listen-in-progress";
  }

  finishListen(): void {
    this.#finish("listen-in-progress", "listening");
  }

  accept(): [TcpSocket, InputStream, OutputStream] {
    this.#enter("listening");
    const { head } = this.#client.call({ op: "accept", id: this.#id }, ["accepted"]);
    const socket = new TcpSocket(this.#client, this.#family, head.id, head, this.#options);
    if (this.#options.keepAliveEnabled) socket.#apply("keep-alive", 1);
    return [socket, ...socket.#streams()];
  }

  localAddress(): IpSocketAddress {
    return socketAddressOf(this.#known(this.#state === "bind-in-progress" ? undefined : this.#local));
  }

  remoteAddress(): IpSocketAddress {
    return socketAddressOf(this.#known(this.#remote));
  }

  isListening(): boolean {
    this.#client.enterHost();
    return this.#state === "listening";
  }

  addressFamily(): AddressFamily {
    this.#client.enterHost();
    return this.#family;
  }

  setListenBacklogSize(value: bigint): void {
    this.#client.enterHost();
    notZero(value);
    if (["connect-in-progress", "connected", "closed"].includes(this.#state))
      throw socketFailure("invalid-state");
  }

  keepAliveEnabled(): boolean {
    return this.#option("keepAliveEnabled");
  }

  setKeepAliveEnabled(value: boolean): void {
    this.#setOption("keepAliveEnabled", value);
    if (this.#state === "connected") this.#apply("keep-alive", value ? 1 : 0);
  }

  keepAliveIdleTime(): bigint {
    return this.#option("keepAliveIdleTime");
  }

  setKeepAliveIdleTime(valueNs: bigint): void {
    this.#setOption("keepAliveIdleTime", keepAliveTime(valueNs));
  }

  keepAliveInterval(): bigint {
    return this.#option("keepAliveInterval");
  }

  setKeepAliveInterval(valueNs: bigint): void {
    this.#setOption("keepAliveInterval", keepAliveTime(valueNs));
  }

  keepAliveCount(): number {
    return this.#option("keepAliveCount");
  }

  setKeepAliveCount(value: number): void {
    this.#setOption("keepAliveCount", keepAliveCount(value));
  }

  hopLimit(): number {
    return this.#option("hopLimit");
  }

  setHopLimit(value: number): void {
    this.#setOption("hopLimit", notZero(value));
  }

  receiveBufferSize(): bigint {
    return this.#option("receiveBufferSize");
  }

  setReceiveBufferSize(value: bigint): void {
    this.#setOption("receiveBufferSize", bufferSize(value));
  }

  sendBufferSize(): bigint {
    return this.#option("sendBufferSize");
  }

  setSendBufferSize(value: bigint): void {
    this.#setOption("sendBufferSize", bufferSize(value));
  }

  subscribe(): Pollable {
    this.#client.enterHost();
    switch (this.#state) {
      case "connect-in-progress":
        return this.#client.pollable(this.#id, "done");
      case "connected":
      case "closed":
        return this.#client.always();
      default:
        // May be kept for as long as the socket lives, and be asked about whatever is under way then.
        return this.#client.pollable(this.#id, "done");
    }
  }

  shutdown(direction: "receive" | "send" | "both"): void {
    this.#enter("connected");
    this.#client.call({ op: "shutdown", id: this.#id, direction }, ["done"]);
  }

  [Symbol.dispose](): void {
    this.#released();
  }

  #streams(): Streams {
    this.#holders += 2;
    return [
      networkInput(this.#client, this.#id, () => this.#released()),
      networkOutput(this.#client, this.#id, () => this.#released()),
    ];
  }

  #released(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#client.close(this.#id);
  }

  #enter(...allowed: readonly State[]): void {
    this.#client.enterHost();
    if (allowed.includes(this.#state)) return;
    const isBusy = this.#state.endsWith("-in-progress");
    throw socketFailure(isBusy ? "concurrency-conflict" : "invalid-state");
  }

  #inProgress(state: State): void {
    this.#client.enterHost();
    if (this.#state !== state) throw socketFailure("not-in-progress");
  }

  #finish(from: State, to: State): void {
    this.#inProgress(from);
    this.#state = to;
  }

  #known(endpoint: Endpoint | undefined): Endpoint {
    this.#client.enterHost();
    if (endpoint === undefined || this.#state === "closed") throw socketFailure("invalid-state");
    return endpoint;
  }

  #option<Name extends keyof SocketOptions>(name: Name): SocketOptions[Name] {
    this.#client.enterHost();
    return this.#options[name];
  }

  #setOption<Name extends keyof SocketOptions>(name: Name, value: SocketOptions[Name]): void {
    this.#client.enterHost();
    this.#options[name] = value;
  }

  #apply(option: "keep-alive", value: number): void {
    this.#client.call({ op: "set-option", id: this.#id, option, value }, ["done"]);
  }
}
