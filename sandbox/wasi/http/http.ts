/** `wasi:http/types` and `outgoing-handler` (WASI 0.2) for one module. Loaded for components that import them. */

import { DEFAULT_HTTP_WAIT_MS, MAX_CONNECT_MS, MAX_HTTP_WAIT_MS } from "../../limits.ts";
import { encodeHeaders } from "../../network/header-block.ts";
import type { HttpRequestHead } from "../../network/protocol.ts";
import { httpFailure, type NetworkClient } from "../sockets/client.ts";
import { Fields } from "./fields.ts";
import { IncomingRequest, outgoingResponseClass, ResponseOutparam } from "./incoming-requests.ts";
import { OutgoingBody } from "./outgoing-body.ts";
import { bodyOf, type Method, outgoingRequestClass, RequestOptions, type Scheme } from "./request.ts";
import {
  Exchange,
  FutureIncomingResponse,
  FutureTrailers,
  IncomingBody,
  IncomingResponse,
} from "./response.ts";

const NS_PER_MS = 1_000_000n;

export function createHttp(client: NetworkClient) {
  const OutgoingRequest = outgoingRequestClass(client);
  const OutgoingResponse = outgoingResponseClass(client);

  function handle(request: InstanceType<typeof OutgoingRequest>, options: RequestOptions | undefined) {
    if (!(request instanceof OutgoingRequest)) throw new TypeError("a request is an outgoing-request");
    const body = bodyOf(request);
    const head = {
      ...requestHead(request.method(), request.scheme(), request.authority(), request.pathWithQuery()),
      ...timeoutsOf(options),
      hasBody: body !== undefined,
    };
    const fields = encodeHeaders(request.headers().entries());
    const { id } = client.call({ op: "request", head }, ["opened"], fields).head;
    const exchange = new Exchange(client, id);
    const response = new FutureIncomingResponse(exchange);
    body?.connect(id);
    return response;
  }

  return {
    "wasi:http/outgoing-handler": { handle },
    "wasi:http/types": {
      Fields,
      FutureIncomingResponse,
      FutureTrailers,
      IncomingBody,
      IncomingRequest,
      IncomingResponse,
      OutgoingBody,
      OutgoingRequest,
      OutgoingResponse,
      RequestOptions,
      ResponseOutparam,
      httpErrorCode: (error: object) => {
        const payload = client.failureOf(error)?.payload;
        return typeof payload === "object" ? payload : undefined;
      },
    },
  };
}

/** @throws NetworkFailure for what no request to a host can be */
function requestHead(
  method: Method,
  scheme: Scheme | undefined,
  authority: string | undefined,
  pathWithQuery: string | undefined,
): Pick<HttpRequestHead, "method" | "scheme" | "authority" | "pathWithQuery"> {
  if (authority === undefined || scheme?.tag === "other") throw httpFailure("HTTP-request-URI-invalid");
  return {
    method: method.tag === "other" ? (method.val ?? "") : method.tag.toUpperCase(),
    scheme: scheme?.tag === "HTTP" ? "http" : "https",
    authority,
    pathWithQuery: pathWithQuery === undefined || pathWithQuery === "" ? "/" : pathWithQuery,
  };
}

function timeoutsOf(options: RequestOptions | undefined) {
  const own = options instanceof RequestOptions ? options : undefined;
  return {
    connectTimeoutMs: milliseconds(own?.connectTimeout(), MAX_CONNECT_MS, MAX_CONNECT_MS),
    firstByteTimeoutMs: milliseconds(own?.firstByteTimeout(), DEFAULT_HTTP_WAIT_MS, MAX_HTTP_WAIT_MS),
    betweenBytesTimeoutMs: milliseconds(own?.betweenBytesTimeout(), DEFAULT_HTTP_WAIT_MS, MAX_HTTP_WAIT_MS),
  };
}

function milliseconds(durationNs: bigint | undefined, defaultMs: number, mostMs: number): number {
  if (durationNs === undefined) return defaultMs;
  const roundedUp = (durationNs + NS_PER_MS - 1n) / NS_PER_MS;
  return roundedUp > mostMs ? mostMs : Number(roundedUp);
}
