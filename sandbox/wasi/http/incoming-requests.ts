/**
 * The part of `wasi:http/types` (WASI 0.2) that only servers have a use for. Nothing of this host makes an incoming request
 * or takes a response, but what a compiler brings along imports them.
 */

import type { NetworkClient } from "../sockets/client.ts";
import { Fields, frozenCopy } from "./fields.ts";
import { OutgoingBody } from "./outgoing-body.ts";
import { FAILED } from "./results.ts";

const FIRST_STATUS = 100;
const LAST_STATUS = 599;

/** Never made; its methods are there to be linked. */
export class IncomingRequest {
  constructor() {
    throw new TypeError("this host has no incoming requests");
  }

  method(): void {}
  pathWithQuery(): void {}
  scheme(): void {}
  authority(): void {}
  headers(): void {}
  consume(): void {}
}

/** Never made; its methods are there to be linked. */
export class ResponseOutparam {
  constructor() {
    throw new TypeError("this host has no incoming requests");
  }

  static set(): void {}
  sendInformational(): void {}
}

export function outgoingResponseClass(client: NetworkClient) {
  return class OutgoingResponse {
    readonly #headers: Fields;
    #statusCode = 200;
    #body: OutgoingBody | undefined;

    constructor(headers: Fields) {
      if (!(headers instanceof Fields)) throw new TypeError("a response is made of fields");
      this.#headers = frozenCopy(headers);
    }

    statusCode(): number {
      return this.#statusCode;
    }

    setStatusCode(statusCode: number): void {
      if (statusCode < FIRST_STATUS || statusCode > LAST_STATUS) throw FAILED;
      this.#statusCode = statusCode;
    }

    headers(): Fields {
      return this.#headers;
    }

    body(): OutgoingBody {
      if (this.#body !== undefined) throw FAILED;
      this.#body = new OutgoingBody(client, this.#headers);
      return this.#body;
    }
  };
}
