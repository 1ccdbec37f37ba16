/**
 * One HTTP request of a module and its response, on the agent's side: HTTP/1.1 over a connection of its own, with TLS for
 * `https`, whose certificate has to be the named host's. Redirects are answers like any other. The bodies are passed on as
 * the module reads and writes them.
 */

import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { LookupFunction } from "node:net";
import {
  MAX_HTTP_HEADER_BYTES,
  MAX_HTTP_HEADERS,
  MAX_NETWORK_PIECE_BYTES,
  MAX_SOCKET_BUFFER_BYTES,
} from "../limits.ts";
import {
  type Answer,
  DONE,
  END,
  type Handle,
  LookupFailure,
  type NetworkContext,
  WOULD_BLOCK,
} from "./handle.ts";
import { encodeHeaders, type HeaderField, headerBlockBytes } from "./header-block.ts";
import { httpErrorCode } from "./http-errors.ts";
import { areSendable, contentLength, type Target } from "./http-request.ts";
import type { HttpErrorCode, HttpRequestHead, Interest } from "./protocol.ts";

const METHODS_WITH_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

export class HttpExchange implements Handle {
  readonly #context: NetworkContext;
  readonly #head: HttpRequestHead;
  readonly #request: ClientRequest;
  readonly #declaredBytes: number | undefined;
  #writtenBytes = 0;
  #response: IncomingMessage | undefined;
  #headerBlock: Uint8Array = new Uint8Array(0);
  #isEnded = false;
  #isSkipping = false;
  #failure: HttpErrorCode | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    context: NetworkContext,
    head: HttpRequestHead,
    request: ClientRequest,
    bodyBytes?: number,
  ) {
    this.#context = context;
    this.#head = head;
    this.#request = request;
    this.#declaredBytes = bodyBytes;
    this.#arm(head.connectTimeoutMs, "connection-timeout");
    request.on("socket", (socket) => {
      socket.once(head.scheme === "https" ? "secureConnect" : "connect", () => this.#disarm());
    });
    request.on("finish", () => {
      if (this.#response === undefined) this.#arm(head.firstByteTimeoutMs, "HTTP-response-timeout");
    });
    request.on("response", (response) => this.#arrived(response));
    // Nobody asked for another protocol. Without a listener node would drop the connection and say nothing.
    request.on("upgrade", (_response, socket) => {
      socket.destroy();
      this.#fail("HTTP-upgrade-failed");
    });
    request.on("error", (error) => this.#fail(httpErrorCode(error)));
    // Node keeps the head back until there is something of the body: but the far end may answer, or refuse, before. What waits for room in the body
    // waits for the head to be gone, which an empty piece tells and `flushHeaders` would not.
    if (head.hasBody) request.write("", () => context.changed());
    else request.end();
  }

  /** Sends a request that was checked (http-request.ts). */
  static async start(
    context: NetworkContext,
    target: Target,
    head: HttpRequestHead,
    fields: readonly HeaderField[],
  ): Promise<HttpExchange> {
    const { request: send } = await (head.scheme === "https" ? import("node:https") : import("node:http"));
    const declared = contentLength(fields);
    const bodyBytes = typeof declared === "number" ? declared : undefined;
    const request = send(requestOptions(context, target, head));
    request.setHeader("Host", target.authority);
    for (const [name, value] of fields) request.appendHeader(name, Buffer.from(value).toString("latin1"));
    // Said by us, whatever node thinks of bodies with this method.
    if (bodyBytes === undefined && head.hasBody) request.setHeader("Transfer-Encoding", "chunked");
    else if (bodyBytes === undefined && METHODS_WITH_BODY.has(head.method))
      request.setHeader("Content-Length", 0);
    return new HttpExchange(context, head, request, bodyBytes);
  }

  checkWrite(): Answer {
    if (this.#failure !== undefined) return this.#failed(this.#failure);
    if (this.#request.writableEnded || this.#request.destroyed) return END;
    const bytes = this.#request.writableLength === 0 ? MAX_SOCKET_BUFFER_BYTES : 0;
    return { head: { tag: "permit", bytes } };
  }

  write(data: Uint8Array): Answer {
    const { head } = this.checkWrite();
    if (head.tag !== "permit") return { head };
    this.#writtenBytes += data.byteLength;
    const isTooMuch = this.#declaredBytes !== undefined && this.#writtenBytes > this.#declaredBytes;
    if (isTooMuch || data.byteLength > head.bytes) return this.#fail("HTTP-request-body-size");
    this.#request.write(data, () => this.#context.changed());
    return DONE;
  }

  finishBody(trailers: readonly HeaderField[]): Answer {
    if (this.#failure !== undefined) return this.#failed(this.#failure);
    if (this.#declaredBytes !== undefined && this.#declaredBytes !== this.#writtenBytes) {
      return this.#fail("HTTP-request-body-size");
    }
    if (!areSendable(trailers)) return this.#fail("HTTP-request-denied");
    if (trailers.length > 0 && this.#declaredBytes === undefined) {
      this.#request.addTrailers(
        trailers.map(
          ([name, value]) => [name, Buffer.from(value).toString("latin1")] as const as [string, string],
        ),
      );
    }
    this.#request.end();
    return DONE;
  }

  response(offset: number): Answer {
    if (this.#response === undefined) {
      return this.#failure === undefined ? WOULD_BLOCK : this.#failed(this.#failure);
    }
    const status = this.#response.statusCode ?? 0;
    const payload = this.#headerBlock.subarray(offset, offset + MAX_NETWORK_PIECE_BYTES);
    return { head: { tag: "response", status, sizeBytes: this.#headerBlock.byteLength }, payload };
  }

  read(maxBytes: number): Answer {
    const response = this.#response;
    if (response === undefined)
      return this.#failure === undefined ? WOULD_BLOCK : this.#failed(this.#failure);
    const sizeBytes = Math.min(maxBytes, response.readableLength);
    if (sizeBytes > 0) {
      const payload: unknown = response.read(sizeBytes);
      if (payload instanceof Uint8Array) return { head: { tag: "bytes" }, payload };
    }
    if (this.#failure !== undefined) return this.#failed(this.#failure);
    return this.#atEnd(response) ? END : WOULD_BLOCK;
  }

  /** What follows the body; what is left of the body is skipped. */
  trailers(offset: number): Answer {
    const response = this.#response;
    if (this.#failure !== undefined) return this.#failed(this.#failure);
    if (response === undefined) return WOULD_BLOCK;
    if (!this.#isEnded) {
      this.#isSkipping = true;
      response.read();
      if (!this.#atEnd(response)) return WOULD_BLOCK;
    }
    const fields = fieldsOf(response.rawTrailers);
    if (!isWithinLimits(fields)) return this.#failed("HTTP-response-header-section-size");
    const block = encodeHeaders(fields);
    const payload = block.subarray(offset, offset + MAX_NETWORK_PIECE_BYTES);
    return { head: { tag: "trailers", sizeBytes: block.byteLength }, payload };
  }

  isReady(interest: Interest): boolean {
    if (this.#failure !== undefined) return true;
    const response = this.#response;
    switch (interest) {
      case "done":
        return response !== undefined;
      case "read":
        return response !== undefined && (response.readableLength > 0 || this.#atEnd(response));
      case "end":
        return this.#isEnded;
      case "write":
        return this.#request.writableLength === 0 || this.#request.writableEnded;
    }
  }

  async close(): Promise<void> {
    this.#disarm();
    this.#request.destroy();
  }

  #arrived(response: IncomingMessage): void {
    this.#disarm();
    const fields = fieldsOf(response.rawHeaders);
    if (!isWithinLimits(fields)) {
      this.#fail("HTTP-response-header-section-size");
      return;
    }
    this.#headerBlock = encodeHeaders(fields);
    this.#response = response;
    response.on("readable", () => {
      this.#disarm();
      if (this.#isSkipping) response.read();
      this.#context.changed();
    });
    response.on("end", () => this.#ended(response));
    response.on("error", () => this.#fail("HTTP-response-incomplete"));
    this.#context.changed();
  }

  #ended(response: IncomingMessage): void {
    this.#disarm();
    this.#isEnded = true;
    if (!response.complete) this.#fail("HTTP-response-incomplete");
    this.#context.changed();
  }

  /** A stream says that it is at its end only when one reads there. What has to come yet has its time. */
  #atEnd(response: IncomingMessage): boolean {
    if (!this.#isEnded) response.read(0);
    if (!this.#isEnded && this.#timer === undefined) {
      this.#arm(this.#head.betweenBytesTimeoutMs, "connection-read-timeout");
    }
    return this.#isEnded;
  }

  #arm(timeoutMs: number, code: HttpErrorCode): void {
    this.#disarm();
    this.#timer = setTimeout(() => this.#fail(code), timeoutMs);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fail(code: HttpErrorCode): Answer {
    this.#disarm();
    this.#failure ??= code;
    this.#request.destroy();
    this.#context.changed();
    return this.#failed(this.#failure);
  }

  #failed(code: HttpErrorCode): Answer {
    return { head: { tag: "http-error", code } };
  }
}

function requestOptions(context: NetworkContext, target: Target, head: HttpRequestHead): RequestOptions {
  return {
    host: target.host,
    port: target.port,
    method: head.method,
    path: head.pathWithQuery.startsWith("?") ? `/${head.pathWithQuery}` : head.pathWithQuery,
    setHost: false,
    // A connection of its own: none is left open, and none was used by another module.
    agent: false,
    maxHeaderSize: MAX_HTTP_HEADER_BYTES,
    insecureHTTPParser: false,
    lookup: checkedLookup(context, target.port),
    // Not to be turned off by a variable of the agent's environment.
    ...(head.scheme === "https" ? { rejectUnauthorized: true } : {}),
  };
}

/** Resolves a name as the module itself would: to addresses that are granted, on this port. */
function checkedLookup(context: NetworkContext, port: number): LookupFunction {
  return (name, _options, callback) => {
    const asked = context.lookUp(name).then((found) => {
      const granted = found.filter((one) => context.allowList.allowsPlace({ ...one, port, protocol: "tcp" }));
      if (granted.length > 0) return granted;
      throw new LookupFailure("access-denied", `the addresses of ${name} are not granted`);
    });
    asked.then(
      (granted) =>
        callback(
          null,
          granted.map(({ address, family }) => ({ address, family: family === "ipv4" ? 4 : 6 })),
        ),
      (error: Error) => callback(error, []),
    );
  };
}

/** Node lists names and values in turn. */
function fieldsOf(raw: readonly string[]): HeaderField[] {
  const fields: HeaderField[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    fields.push([raw[at] ?? "", Buffer.from(raw[at + 1] ?? "", "latin1")]);
  }
  return fields;
}

function isWithinLimits(fields: readonly HeaderField[]): boolean {
  return fields.length <= MAX_HTTP_HEADERS && headerBlockBytes(fields) <= MAX_HTTP_HEADER_BYTES;
}
