/**
 * `wasi:http/types`: `future-incoming-response`, `incoming-response`, `incoming-body` and `future-trailers` (WASI 0.2). The
 * agent's number of the request is given back when all of them that the guest holds are dropped.
 */

import { decodeHeaders, type HeaderField } from "../../network/header-block.ts";
import type { Pollable } from "../poll.ts";
import { type HttpError, type NetworkClient, NetworkFailure } from "../sockets/client.ts";
import { networkInput } from "../sockets/streams.ts";
import type { InputStream } from "../streams.ts";
import { type Fields, immutableFields } from "./fields.ts";
import { FAILED, type Result, TAKEN } from "./results.ts";

/** A request that was sent, and how many of the guest's resources stand for it. */
export class Exchange {
  readonly client: NetworkClient;
  readonly id: number;
  #holders = 0;

  constructor(client: NetworkClient, id: number) {
    this.client = client;
    this.id = id;
  }

  held(): void {
    this.#holders += 1;
  }

  released(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.client.close(this.id);
  }
}

/** What a resource of the guest holds. A component may reach the constructors by itself. */
function held(exchange: Exchange): Exchange {
  if (!(exchange instanceof Exchange)) throw new TypeError("it comes from a request");
  exchange.held();
  return exchange;
}

export class FutureIncomingResponse {
  readonly #exchange: Exchange;
  #isTaken = false;

  constructor(exchange: Exchange) {
    this.#exchange = held(exchange);
  }

  subscribe(): Pollable {
    return this.#exchange.client.pollable(this.#exchange.id, "done");
  }

  get(): Result<Result<IncomingResponse, HttpError>, undefined> | undefined {
    if (this.#isTaken) return TAKEN;
    const answer = this.#response();
    if (answer !== undefined) this.#isTaken = true;
    return answer === undefined ? undefined : { tag: "ok", val: answer };
  }

  [Symbol.dispose](): void {
    this.#exchange.released();
  }

  #response(): Result<IncomingResponse, HttpError> | undefined {
    const { client, id } = this.#exchange;
    return settled(() => {
      const status: { status?: number } = {};
      const fields = inPieces((offset) => {
        const { head, payload } = client.call({ op: "response", id, offset }, ["response"]);
        status.status = head.status;
        return { sizeBytes: head.sizeBytes, payload };
      });
      return new IncomingResponse(this.#exchange, status.status ?? 0, fields);
    });
  }
}

export class IncomingResponse {
  readonly #exchange: Exchange;
  readonly #status: number;
  readonly #headers: Fields;
  #isConsumed = false;

  constructor(exchange: Exchange, status: number, headers: readonly HeaderField[]) {
    this.#exchange = held(exchange);
    this.#status = status;
    this.#headers = immutableFields(headers);
  }

  status(): number {
    return this.#status;
  }

  headers(): Fields {
    return this.#headers;
  }

  consume(): IncomingBody {
    if (this.#isConsumed) throw FAILED;
    this.#isConsumed = true;
    return new IncomingBody(this.#exchange);
  }

  [Symbol.dispose](): void {
    this.#exchange.released();
  }
}

export class IncomingBody {
  readonly #exchange: Exchange;
  #isTaken = false;
  #isFinished = false;

  constructor(exchange: Exchange) {
    this.#exchange = held(exchange);
  }

  stream(): InputStream {
    if (this.#isTaken) throw FAILED;
    this.#isTaken = true;
    const { client, id } = held(this.#exchange);
    return networkInput(client, id, () => this.#exchange.released());
  }

  static finish(body: IncomingBody): FutureTrailers {
    if (!(body instanceof IncomingBody)) throw new TypeError("a body is a response's");
    const trailers = new FutureTrailers(body.#exchange);
    // It was given away, so nothing disposes of it.
    body[Symbol.dispose]();
    return trailers;
  }

  [Symbol.dispose](): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#exchange.released();
  }
}

export class FutureTrailers {
  readonly #exchange: Exchange;
  #isTaken = false;

  constructor(exchange: Exchange) {
    this.#exchange = held(exchange);
  }

  subscribe(): Pollable {
    const { client, id } = this.#exchange;
    // Lets the agent skip what is left of the body, behind which the trailers are.
    settled(() => client.call({ op: "trailers", id, offset: 0 }, ["trailers"]));
    return client.pollable(id, "end");
  }

  get(): Result<Result<Fields | undefined, HttpError>, undefined> | undefined {
    if (this.#isTaken) return TAKEN;
    const { client, id } = this.#exchange;
    const answer = settled(() => {
      const fields = inPieces((offset) => {
        const { head, payload } = client.call({ op: "trailers", id, offset }, ["trailers"]);
        return { sizeBytes: head.sizeBytes, payload };
      });
      return fields.length === 0 ? undefined : immutableFields(fields);
    });
    if (answer === undefined) return undefined;
    this.#isTaken = true;
    return { tag: "ok", val: answer };
  }

  [Symbol.dispose](): void {
    this.#exchange.released();
  }
}

/** The call's outcome as a value; undefined while there is none. */
function settled<Value>(call: () => Value): Result<Value, HttpError> | undefined {
  try {
    return { tag: "ok", val: call() };
  } catch (error) {
    if (!(error instanceof NetworkFailure)) throw error;
    if (error.code === "would-block") return undefined;
    return { tag: "err", val: typeof error.payload === "string" ? { tag: "internal-error" } : error.payload };
  }
}

/** Headers that are longer than a reply come in pieces. */
function inPieces(
  next: (offset: number) => { readonly sizeBytes: number; readonly payload: Uint8Array },
): HeaderField[] {
  const first = next(0);
  const block = new Uint8Array(first.sizeBytes);
  block.set(first.payload);
  for (let offset = first.payload.byteLength; offset < block.byteLength; ) {
    const { payload } = next(offset);
    if (payload.byteLength === 0) break;
    block.set(payload, offset);
    offset += payload.byteLength;
  }
  return decodeHeaders(block) ?? [];
}
