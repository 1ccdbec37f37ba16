/**
 * One TCP connection on the agent's side: node's socket, read only when the module reads, so that a far end that sends
 * faster than the module takes is slowed down by TCP itself.
 */

import { Socket } from "node:net";
import { MAX_CONNECT_MS, MAX_LINGER_MS, MAX_SOCKET_BUFFER_BYTES } from "../limits.ts";
import { type Answer, DONE, END, failed, type NetworkContext, WOULD_BLOCK } from "./handle.ts";
import type { Endpoint, Interest, SocketErrorCode } from "./protocol.ts";
import { socketErrorCode } from "./socket-errors.ts";

export interface Ends {
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

const KEEP_ALIVE_DELAY_MS = 60_000;

export class TcpConnection {
  readonly #socket: Socket;
  readonly #changed: () => void;
  readonly #closed = Promise.withResolvers<void>();
  #connectTimer: NodeJS.Timeout | undefined;
  #ends: Ends | undefined;
  #failure: SocketErrorCode | undefined;
  #isEnded = false;
  #isReceiveShut = false;
  #isSendShut = false;

  /** @param socket connecting or connected; half-open connections have to be allowed */
  constructor(socket: Socket, context: NetworkContext) {
    this.#socket = socket;
    this.#changed = () => context.changed();
    socket.on("error", (error) => this.#fail(socketErrorCode(error)));
    socket.on("readable", () => {
      if (this.#isReceiveShut) socket.read();
      this.#changed();
    });
    socket.on("end", () => {
      this.#isEnded = true;
      this.#changed();
    });
    socket.on("close", () => {
      clearTimeout(this.#connectTimer);
      this.#isEnded = true;
      this.#closed.resolve();
      this.#changed();
    });
    if (socket.connecting) {
      socket.on("connect", () => this.#connected());
      this.#connectTimer = setTimeout(() => this.#fail("timeout"), MAX_CONNECT_MS);
    } else {
      this.#connected();
    }
  }

  static connect(remote: Endpoint, local: Endpoint | undefined, context: NetworkContext): TcpConnection {
    const socket = new Socket({
      allowHalfOpen: true,
      readableHighWaterMark: MAX_SOCKET_BUFFER_BYTES,
    } as ConstructorParameters<typeof Socket>[0]);
    const from = local === undefined ? {} : { localAddress: local.address, localPort: local.port };
    socket.connect({ host: remote.address, port: remote.port, ...from });
    return new TcpConnection(socket, context);
  }

  get ends(): Ends | undefined {
    return this.#ends;
  }

  /** Both ends once it is connected. */
  finishConnect(): Answer {
    if (this.#ends !== undefined) return { head: { tag: "connected", ...this.#ends } };
    return this.#failure === undefined ? WOULD_BLOCK : failed(this.#failure);
  }

  read(maxBytes: number): Answer {
    if (this.#isReceiveShut) return END;
    const sizeBytes = Math.min(maxBytes, this.#socket.readableLength);
    if (sizeBytes > 0) {
      const payload: unknown = this.#socket.read(sizeBytes);
      if (payload instanceof Uint8Array) return { head: { tag: "bytes" }, payload };
    }
    if (this.#failure !== undefined) return failed(this.#failure);
    return this.#atEnd() ? END : WOULD_BLOCK;
  }

  /** Nothing while something is on its way: what is permitted goes out at once, and a flush is done when there is a permit. */
  checkWrite(): Answer {
    if (this.#failure !== undefined) return failed(this.#failure);
    if (this.#isSendShut || !this.#socket.writable) return END;
    const bytes = this.#socket.writableLength === 0 ? MAX_SOCKET_BUFFER_BYTES : 0;
    return { head: { tag: "permit", bytes } };
  }

  write(data: Uint8Array): Answer {
    const { head } = this.checkWrite();
    if (head.tag !== "permit") return { head };
    if (data.byteLength > head.bytes) return failed("invalid-argument");
    this.#socket.write(data, () => this.#changed());
    return DONE;
  }

  shutdown(direction: "receive" | "send" | "both"): Answer {
    if (direction !== "send") {
      this.#isReceiveShut = true;
      this.#socket.read();
    }
    if (direction !== "receive" && !this.#isSendShut) {
      this.#isSendShut = true;
      this.#socket.end();
    }
    return DONE;
  }

  setKeepAlive(enabled: boolean): void {
    this.#socket.setKeepAlive(enabled, KEEP_ALIVE_DELAY_MS);
  }

  isReady(interest: Interest): boolean {
    if (this.#failure !== undefined) return true;
    switch (interest) {
      case "read":
        return this.#isReceiveShut || this.#socket.readableLength > 0 || this.#atEnd();
      case "write":
        return this.#isSendShut || !this.#socket.writable || this.#socket.writableLength === 0;
      case "done":
      case "end":
        return this.#ends !== undefined;
    }
  }

  /** What was written is sent within `MAX_LINGER_MS`, then it ends. */
  async close(): Promise<void> {
    if (this.#ends === undefined || this.#failure !== undefined) {
      this.#socket.destroy();
    } else {
      this.#socket.destroySoon();
    }
    const timer = setTimeout(() => this.#socket.destroy(), MAX_LINGER_MS);
    await this.#closed.promise;
    clearTimeout(timer);
  }

  #connected(): void {
    clearTimeout(this.#connectTimer);
    const { localAddress, localPort, remoteAddress, remotePort } = this.#socket;
    if (localAddress === undefined || remoteAddress === undefined) {
      // It was reset before anybody looked.
      this.#fail("connection-reset");
      return;
    }
    this.#ends = {
      local: { address: localAddress, port: localPort ?? 0 },
      remote: { address: remoteAddress, port: remotePort ?? 0 },
    };
    this.#changed();
  }

  /** A stream says that it is at its end only when one reads there. */
  #atEnd(): boolean {
    if (!this.#isEnded) this.#socket.read(0);
    return this.#isEnded;
  }

  #fail(code: SocketErrorCode): void {
    this.#failure ??= code;
    this.#socket.destroy();
    this.#changed();
  }
}
