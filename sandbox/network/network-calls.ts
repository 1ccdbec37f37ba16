/**
 * The network of one module, on the agent's side: its open sockets, lookups and HTTP requests, each call checked against
 * the grants and the limits. Loaded with the first call of a module that has a grant.
 */

import { MAX_HTTP_REQUESTS, MAX_OPEN_SOCKETS } from "../limits.ts";
import { AllowList } from "./allow-list.ts";
import { type Answer, DONE, failed, type Handle, type NetworkContext } from "./handle.ts";
import { decodeHeaders } from "./header-block.ts";
import { HttpExchange } from "./http-exchange.ts";
import { allowsTarget, requestProblem, targetOf } from "./http-request.ts";
import { NameLookup, Resolver } from "./name-lookup.ts";
import type { Awaited, HttpErrorCode, HttpRequestHead, NetworkCall } from "./protocol.ts";
import type { NetworkGrants } from "./rules.ts";
import { TcpSocket } from "./tcp-socket.ts";
import { UdpSocket } from "./udp-socket.ts";

export class NetworkCalls {
  readonly #context: NetworkContext;
  readonly #handles = new Map<number, Handle>();
  /** What is closed and not yet gone counts as open: it holds a descriptor. */
  readonly #closing = new Set<Promise<void>>();
  #lastId = 0;
  #isClosed = false;
  #wake: (() => void) | undefined;

  /** @param refused is told what the allow-list did not allow, for the device's owner */
  constructor(grants: NetworkGrants, refused: (what: string) => void) {
    const allowList = new AllowList(grants);
    const resolver = new Resolver(allowList, refused);
    this.#context = {
      allowList,
      refused,
      changed: () => this.#wake?.(),
      add: (handle) => this.#add(handle),
      lookUp: (name) => resolver.lookUp(name),
    };
  }

  /** Answers one call; there is one at a time. */
  async answer(call: NetworkCall, payload: Uint8Array): Promise<Answer> {
    switch (call.op) {
      case "create":
        return this.#create(call);
      case "resolve":
        return this.#opened(() => new NameLookup(this.#context, call.name));
      case "request":
        return this.#request(call.head, payload);
      case "wait":
        return this.#wait(call.for, call.timeoutMs);
      case "close":
        return this.#close(call.id);
    }
    const handle = this.#handles.get(call.id);
    if (handle instanceof TcpSocket) return answerTcp(handle, call, payload);
    if (handle instanceof UdpSocket) return answerUdp(handle, call, payload);
    if (handle instanceof HttpExchange) return answerHttp(handle, call, payload);
    if (handle instanceof NameLookup && call.op === "resolved") return handle.answer();
    return failed("invalid-state");
  }

  /** Closes everything; what was written is sent first, if that takes no longer than `MAX_LINGER_MS`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake?.();
    for (const id of [...this.#handles.keys()]) this.#close(id);
    await Promise.all(this.#closing);
  }

  #create({ protocol, family }: NetworkCall & { op: "create" }): Answer {
    if (!this.#context.allowList.allowsAny(protocol)) {
      this.#context.refused(`a socket for ${protocol}`);
      return failed("access-denied");
    }
    return this.#opened(() =>
      protocol === "tcp" ? new TcpSocket(this.#context, family) : new UdpSocket(this.#context, family),
    );
  }

  async #request(head: HttpRequestHead, payload: Uint8Array): Promise<Answer> {
    const fields = decodeHeaders(payload);
    if (fields === undefined) return httpFailure("HTTP-request-header-section-size");
    const target = targetOf(head);
    const problem = typeof target === "string" ? target : requestProblem(head, fields);
    if (typeof target === "string" || problem !== undefined) return httpFailure(problem ?? "internal-error");
    if (!allowsTarget(this.#context.allowList, target)) {
      this.#context.refused(`an HTTP request to ${target.host} port ${target.port}/tcp`);
      return httpFailure("HTTP-request-denied");
    }
    const requests = [...this.#handles.values()].filter((handle) => handle instanceof HttpExchange);
    if (requests.length >= MAX_HTTP_REQUESTS || this.#isFull())
      return httpFailure("connection-limit-reached");
    const exchange = await HttpExchange.start(this.#context, target, head, fields);
    const answer = this.#opened(() => exchange);
    // The module may have ended meanwhile.
    if (answer.head.tag !== "opened") await exchange.close();
    return answer;
  }

  async #wait(awaited: readonly Awaited[], timeoutMs: number): Promise<Answer> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      // What is gone is ready: the next call will say so.
      const ready = awaited.map(({ id, interest }) => this.#handles.get(id)?.isReady(interest) ?? true);
      const remainingMs = deadlineMs - performance.now();
      if (remainingMs <= 0 || ready.includes(true)) return { head: { tag: "ready", ready } };
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, remainingMs);
      await promise;
      clearTimeout(timer);
      this.#wake = undefined;
    }
  }

  #close(id: number): Answer {
    const handle = this.#handles.get(id);
    if (handle === undefined) return DONE;
    this.#handles.delete(id);
    const closed = handle.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
    return DONE;
  }

  #opened(make: () => Handle): Answer {
    const id = this.#isFull() ? undefined : this.#add(make());
    return id === undefined ? failed("new-socket-limit") : { head: { tag: "opened", id } };
  }

  #add(handle: Handle): number | undefined {
    if (this.#isFull()) return undefined;
    this.#lastId += 1;
    this.#handles.set(this.#lastId, handle);
    return this.#lastId;
  }

  #isFull(): boolean {
    return this.#isClosed || this.#handles.size + this.#closing.size >= MAX_OPEN_SOCKETS;
  }
}

function answerTcp(socket: TcpSocket, call: NetworkCall, payload: Uint8Array): Answer | Promise<Answer> {
  switch (call.op) {
    case "bind":
      return socket.bind(call.endpoint);
    case "connect":
      return socket.connect(call.endpoint);
    case "listen":
      return socket.listen();
    case "accept":
      return socket.accept();
    case "set-option":
      return socket.setOption(call.option, call.value);
    case "finish-connect":
      return socket.connection?.finishConnect() ?? failed("invalid-state");
    case "read":
      return socket.connection?.read(call.maxBytes) ?? failed("invalid-state");
    case "check-write":
      return socket.connection?.checkWrite() ?? failed("invalid-state");
    case "write":
      return socket.connection?.write(payload) ?? failed("invalid-state");
    case "shutdown":
      return socket.connection?.shutdown(call.direction) ?? failed("invalid-state");
    default:
      return failed("invalid-state");
  }
}

function answerUdp(socket: UdpSocket, call: NetworkCall, payload: Uint8Array): Answer | Promise<Answer> {
  switch (call.op) {
    case "bind":
      return socket.bind(call.endpoint);
    case "associate":
      return socket.associate(call.remote);
    case "send":
      return socket.send(call.remote, payload);
    case "receive":
      return socket.receive(call.offset);
    case "set-option":
      return socket.setOption(call.option, call.value);
    default:
      return failed("invalid-state");
  }
}

function answerHttp(exchange: HttpExchange, call: NetworkCall, payload: Uint8Array): Answer {
  switch (call.op) {
    case "response":
      return exchange.response(call.offset);
    case "read":
      return exchange.read(call.maxBytes);
    case "check-write":
      return exchange.checkWrite();
    case "write":
      return exchange.write(payload);
    case "finish-body": {
      const trailers = decodeHeaders(payload);
      return trailers === undefined
        ? httpFailure("HTTP-request-header-section-size")
        : exchange.finishBody(trailers);
    }
    case "trailers":
      return exchange.trailers(call.offset);
    default:
      return failed("invalid-state");
  }
}

function httpFailure(code: HttpErrorCode): Answer {
  return { head: { tag: "http-error", code } };
}
