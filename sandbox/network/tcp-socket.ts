/**
 * A TCP socket on the agent's side: unbound, bound, listening, or one end of a connection.
 *
 * The kernel starts to listen when a socket is bound to an address that the module may listen at (node can't do one
 * without the other); connections that come before the module listens are closed. An address that it may only connect
 * from is bound with the connection.
 */

import type { Server, Socket } from "node:net";
import { MAX_PENDING_CONNECTIONS, MAX_SOCKET_BUFFER_BYTES } from "../limits.ts";
import { type Answer, DONE, failed, type Handle, type NetworkContext, WOULD_BLOCK } from "./handle.ts";
import type { Endpoint, Interest, SocketOption } from "./protocol.ts";
import type { AddressFamily } from "./rules.ts";
import { socketErrorCode } from "./socket-errors.ts";
import { canonicalAddress } from "./special-addresses.ts";
import { TcpConnection } from "./tcp-connection.ts";

export class TcpSocket implements Handle {
  readonly #context: NetworkContext;
  readonly #family: AddressFamily;
  #local: Endpoint | undefined;
  #server: Server | undefined;
  #isListening = false;
  #pending: TcpConnection[] = [];
  #connection: TcpConnection | undefined;
  #isBusy = false;
  #isClosed = false;

  constructor(context: NetworkContext, family: AddressFamily, connection?: TcpConnection) {
    this.#context = context;
    this.#family = family;
    this.#connection = connection;
  }

  async bind(endpoint: Endpoint): Promise<Answer> {
    if (this.#local !== undefined || this.#connection !== undefined || this.#isBusy)
      return failed("invalid-state");
    const address = canonicalAddress(endpoint.address, this.#family);
    if (address === undefined) return failed("invalid-argument");
    const { allowList } = this.#context;
    const place = { address, family: this.#family, port: endpoint.port, protocol: "tcp" } as const;
    if (allowList.allowsListening(place)) return this.#listenAt({ address, port: endpoint.port });
    if (endpoint.port === 0 && allowList.allowsAny("tcp")) {
      this.#local = { address, port: 0 };
      return { head: { tag: "bound", local: this.#local } };
    }
    this.#context.refused(`listening at ${address} port ${endpoint.port}/tcp`);
    return failed("access-denied");
  }

  async connect(endpoint: Endpoint): Promise<Answer> {
    if (this.#connection !== undefined || this.#isListening || this.#isBusy) return failed("invalid-state");
    const address = canonicalAddress(endpoint.address, this.#family);
    if (address === undefined) return failed("invalid-argument");
    const place = { address, family: this.#family, port: endpoint.port, protocol: "tcp" } as const;
    if (!this.#context.allowList.allowsPlace(place)) {
      this.#context.refused(`connecting to ${address} port ${endpoint.port}/tcp`);
      return failed("access-denied");
    }
    await this.#closeServer();
    this.#connection = TcpConnection.connect({ address, port: endpoint.port }, this.#local, this.#context);
    return DONE;
  }

  listen(): Answer {
    if (this.#connection !== undefined || this.#isListening || this.#local === undefined) {
      return failed("invalid-state");
    }
    if (this.#server === undefined) {
      this.#context.refused(`listening at ${this.#local.address} port ${this.#local.port}/tcp`);
      return failed("access-denied");
    }
    this.#isListening = true;
    return DONE;
  }

  accept(): Answer {
    if (!this.#isListening) return failed("invalid-state");
    const [connection] = this.#pending;
    if (connection?.ends === undefined) {
      const aborted = this.#pending.shift();
      if (aborted === undefined) return WOULD_BLOCK;
      void aborted.close();
      return failed("connection-aborted");
    }
    const id = this.#context.add(new TcpSocket(this.#context, this.#family, connection));
    if (id === undefined) return failed("new-socket-limit");
    this.#pending.shift();
    return { head: { tag: "accepted", id, ...connection.ends } };
  }

  /** Its connection, for everything that needs one. */
  get connection(): TcpConnection | undefined {
    return this.#connection;
  }

  setOption(option: SocketOption, value: number): Answer {
    // Node has no way to the others; they are hints, which the worker remembers.
    if (option === "keep-alive") this.#connection?.setKeepAlive(value !== 0);
    return DONE;
  }

  isReady(interest: Interest): boolean {
    if (this.#connection !== undefined) return this.#connection.isReady(interest);
    return !this.#isListening || this.#pending.length > 0;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#closeServer(), this.#connection?.close()]);
  }

  async #listenAt(endpoint: Endpoint): Promise<Answer> {
    this.#isBusy = true;
    const { createServer } = await import("node:net");
    const server = createServer({ allowHalfOpen: true, highWaterMark: MAX_SOCKET_BUFFER_BYTES });
    server.on("connection", (socket) => this.#arrived(socket));
    const { promise, resolve } = Promise.withResolvers<Answer>();
    server.on("error", (error) => resolve(failed(socketErrorCode(error))));
    const options = { host: endpoint.address, port: endpoint.port, exclusive: true };
    server.listen({ ...options, backlog: MAX_PENDING_CONNECTIONS, ipv6Only: this.#family === "ipv6" }, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : endpoint.port;
      this.#local = { address: endpoint.address, port };
      this.#server = server;
      resolve({ head: { tag: "bound", local: this.#local } });
    });
    const answer = await promise;
    this.#isBusy = false;
    // The module may have ended meanwhile.
    if (this.#isClosed) await this.#closeServer();
    return answer;
  }

  #arrived(socket: Socket): void {
    if (!this.#isListening || this.#pending.length >= MAX_PENDING_CONNECTIONS) {
      socket.destroy();
      return;
    }
    this.#pending.push(new TcpConnection(socket, this.#context));
    this.#context.changed();
  }

  async #closeServer(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const pending = this.#pending;
    this.#pending = [];
    // The server's own event comes only when the connections that it accepted are gone, the module's among them.
    server.close();
    await Promise.all(pending.map((connection) => connection.close()));
  }
}
