/** `wasi:http/types`: `outgoing-request` and `request-options` (WASI 0.2). What may be sent, the agent decides. */

import { MAX_URI_LENGTH } from "../../limits.ts";
import { isToken } from "../../network/fields.ts";
import type { NetworkClient } from "../sockets/client.ts";
import { Fields, frozenCopy } from "./fields.ts";
import { OutgoingBody } from "./outgoing-body.ts";
import { FAILED } from "./results.ts";

export interface Method {
  readonly tag: string;
  readonly val?: string;
}

export interface Scheme {
  readonly tag: "HTTP" | "HTTPS" | "other";
  readonly val?: string;
}

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;
/** RFC 3986 §3.2. */
const AUTHORITY = /^(?:[\w.~%!$&'()*+,;=:-]*@)?(?:[\w.~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;
/** Printable, without what would begin a fragment. */
const PATH = /^[\x21\x22\x24-\x7e]*$/;

/** Not a member of the class: a component could name it. */
const bodies = new WeakMap<object, OutgoingBody>();

/** The body of a request, if the guest has asked for it. */
export function bodyOf(request: object): OutgoingBody | undefined {
  return bodies.get(request);
}

/** The class's `body` needs what a guest can't give it. */
export function outgoingRequestClass(client: NetworkClient) {
  return class OutgoingRequest {
    readonly #headers: Fields;
    #method: Method = { tag: "get" };
    #pathWithQuery: string | undefined;
    #scheme: Scheme | undefined;
    #authority: string | undefined;
    #body: OutgoingBody | undefined;

    constructor(headers: Fields) {
      if (!(headers instanceof Fields)) throw new TypeError("a request is made of fields");
      this.#headers = frozenCopy(headers);
    }

    body(): OutgoingBody {
      if (this.#body !== undefined) throw FAILED;
      this.#body = new OutgoingBody(client, this.#headers);
      bodies.set(this, this.#body);
      return this.#body;
    }

    method(): Method {
      return this.#method;
    }

    setMethod(method: Method): void {
      if (method.tag === "other" && !isToken(method.val ?? "")) throw FAILED;
      this.#method = method;
    }

    pathWithQuery(): string | undefined {
      return this.#pathWithQuery;
    }

    setPathWithQuery(path: string | undefined): void {
      if (path !== undefined && (!PATH.test(path) || path.length > MAX_URI_LENGTH)) throw FAILED;
      this.#pathWithQuery = path;
    }

    scheme(): Scheme | undefined {
      return this.#scheme;
    }

    setScheme(scheme: Scheme | undefined): void {
      if (scheme?.tag === "other" && !SCHEME.test(scheme.val ?? "")) throw FAILED;
      this.#scheme = scheme;
    }

    authority(): string | undefined {
      return this.#authority;
    }

    setAuthority(authority: string | undefined): void {
      if (authority !== undefined && !AUTHORITY.test(authority)) throw FAILED;
      this.#authority = authority;
    }

    headers(): Fields {
      return this.#headers;
    }
  };
}

/** Durations in nanoseconds. */
export class RequestOptions {
  #connectTimeout: bigint | undefined;
  #firstByteTimeout: bigint | undefined;
  #betweenBytesTimeout: bigint | undefined;

  connectTimeout(): bigint | undefined {
    return this.#connectTimeout;
  }

  setConnectTimeout(durationNs: bigint | undefined): void {
    this.#connectTimeout = durationNs;
  }

  firstByteTimeout(): bigint | undefined {
    return this.#firstByteTimeout;
  }

  setFirstByteTimeout(durationNs: bigint | undefined): void {
    this.#firstByteTimeout = durationNs;
  }

  betweenBytesTimeout(): bigint | undefined {
    return this.#betweenBytesTimeout;
  }

  setBetweenBytesTimeout(durationNs: bigint | undefined): void {
    this.#betweenBytesTimeout = durationNs;
  }
}
