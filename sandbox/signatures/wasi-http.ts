/** wasi:http 0.2, with what its patch versions up to 0.2.12 added: what its interfaces have (notation.ts). */

import {
  bool,
  borrow,
  func,
  type InterfaceSignature,
  list,
  methods,
  none,
  option,
  own,
  record,
  resource,
  result,
  string,
  tuple,
  u8,
  u16,
  u32,
  u64,
  variant,
} from "./notation.ts";
import { inputStream, ioError, outputStream, pollable } from "./wasi-io.ts";

const dnsError = record({ rcode: option(string), "info-code": option(u16) });
const tlsAlert = record({ "alert-id": option(u8), "alert-message": option(string) });
const fieldSize = record({ "field-name": option(string), "field-size": option(u32) });
const errorCode = variant({
  "DNS-timeout": none,
  "DNS-error": dnsError,
  "destination-not-found": none,
  "destination-unavailable": none,
  "destination-IP-prohibited": none,
  "destination-IP-unroutable": none,
  "connection-refused": none,
  "connection-terminated": none,
  "connection-timeout": none,
  "connection-read-timeout": none,
  "connection-write-timeout": none,
  "connection-limit-reached": none,
  "TLS-protocol-error": none,
  "TLS-certificate-error": none,
  "TLS-alert-received": tlsAlert,
  "HTTP-request-denied": none,
  "HTTP-request-length-required": none,
  "HTTP-request-body-size": option(u64),
  "HTTP-request-method-invalid": none,
  "HTTP-request-URI-invalid": none,
  "HTTP-request-URI-too-long": none,
  "HTTP-request-header-section-size": option(u32),
  "HTTP-request-header-size": option(fieldSize),
  "HTTP-request-trailer-section-size": option(u32),
  "HTTP-request-trailer-size": fieldSize,
  "HTTP-response-incomplete": none,
  "HTTP-response-header-section-size": option(u32),
  "HTTP-response-header-size": fieldSize,
  "HTTP-response-body-size": option(u64),
  "HTTP-response-trailer-section-size": option(u32),
  "HTTP-response-trailer-size": fieldSize,
  "HTTP-response-transfer-coding": option(string),
  "HTTP-response-content-coding": option(string),
  "HTTP-response-timeout": none,
  "HTTP-upgrade-failed": none,
  "HTTP-protocol-error": none,
  "loop-detected": none,
  "configuration-error": none,
  "internal-error": option(string),
});
const fields = resource("fields");
const headerError = variant({ "invalid-syntax": none, forbidden: none, immutable: none });
const incomingRequest = resource("incoming-request");
const requestMethod = variant({
  get: none,
  head: none,
  post: none,
  put: none,
  delete: none,
  connect: none,
  options: none,
  trace: none,
  patch: none,
  other: string,
});
const scheme = variant({ HTTP: none, HTTPS: none, other: string });
const incomingBody = resource("incoming-body");
const outgoingRequest = resource("outgoing-request");
const outgoingBody = resource("outgoing-body");
const requestOptions = resource("request-options");
const responseOutparam = resource("response-outparam");
const outgoingResponse = resource("outgoing-response");
const incomingResponse = resource("incoming-response");
const futureTrailers = resource("future-trailers");
const futureIncomingResponse = resource("future-incoming-response");

export const wasiHttp = {
  "wasi:http/types": {
    resources: {
      "io-error": ioError,
      fields,
      "incoming-request": incomingRequest,
      headers: fields,
      "incoming-body": incomingBody,
      "outgoing-request": outgoingRequest,
      "outgoing-body": outgoingBody,
      "request-options": requestOptions,
      "response-outparam": responseOutparam,
      "outgoing-response": outgoingResponse,
      "incoming-response": incomingResponse,
      "input-stream": inputStream,
      "future-trailers": futureTrailers,
      pollable,
      trailers: fields,
      "output-stream": outputStream,
      "future-incoming-response": futureIncomingResponse,
    },
    functions: {
      "[constructor]fields": func({}, own(fields)),
      "[static]fields.from-list": func(
        { entries: list(tuple(string, list(u8))) },
        result(own(fields), headerError),
      ),
      "[constructor]outgoing-request": func({ headers: own(fields) }, own(outgoingRequest)),
      "[constructor]request-options": func({}, own(requestOptions)),
      "[static]response-outparam.set": func({
        param: own(responseOutparam),
        response: result(own(outgoingResponse), errorCode),
      }),
      "[static]incoming-body.finish": func({ this: own(incomingBody) }, own(futureTrailers)),
      "[constructor]outgoing-response": func({ headers: own(fields) }, own(outgoingResponse)),
      "[static]outgoing-body.finish": func(
        { this: own(outgoingBody), trailers: option(own(fields)) },
        result(none, errorCode),
      ),
      "http-error-code": func({ err: borrow(ioError) }, option(errorCode)),
      ...methods("fields", fields, {
        get: func({ name: string }, list(list(u8))),
        has: func({ name: string }, bool),
        set: func({ name: string, value: list(list(u8)) }, result(none, headerError)),
        delete: func({ name: string }, result(none, headerError)),
        append: func({ name: string, value: list(u8) }, result(none, headerError)),
        entries: func({}, list(tuple(string, list(u8)))),
        clone: func({}, own(fields)),
      }),
      ...methods("incoming-request", incomingRequest, {
        method: func({}, requestMethod),
        "path-with-query": func({}, option(string)),
        scheme: func({}, option(scheme)),
        authority: func({}, option(string)),
        headers: func({}, own(fields)),
        consume: func({}, result(own(incomingBody), none)),
      }),
      ...methods("outgoing-request", outgoingRequest, {
        body: func({}, result(own(outgoingBody), none)),
        method: func({}, requestMethod),
        "set-method": func({ method: requestMethod }, result(none, none)),
        "path-with-query": func({}, option(string)),
        "set-path-with-query": func({ "path-with-query": option(string) }, result(none, none)),
        scheme: func({}, option(scheme)),
        "set-scheme": func({ scheme: option(scheme) }, result(none, none)),
        authority: func({}, option(string)),
        "set-authority": func({ authority: option(string) }, result(none, none)),
        headers: func({}, own(fields)),
      }),
      ...methods("request-options", requestOptions, {
        "connect-timeout": func({}, option(u64)),
        "set-connect-timeout": func({ duration: option(u64) }, result(none, none)),
        "first-byte-timeout": func({}, option(u64)),
        "set-first-byte-timeout": func({ duration: option(u64) }, result(none, none)),
        "between-bytes-timeout": func({}, option(u64)),
        "set-between-bytes-timeout": func({ duration: option(u64) }, result(none, none)),
      }),
      ...methods("response-outparam", responseOutparam, {
        "send-informational": func({ status: u16, headers: own(fields) }, result(none, errorCode)),
      }),
      ...methods("incoming-response", incomingResponse, {
        status: func({}, u16),
        headers: func({}, own(fields)),
        consume: func({}, result(own(incomingBody), none)),
      }),
      ...methods("incoming-body", incomingBody, {
        stream: func({}, result(own(inputStream), none)),
      }),
      ...methods("future-trailers", futureTrailers, {
        subscribe: func({}, own(pollable)),
        get: func({}, option(result(result(option(own(fields)), errorCode), none))),
      }),
      ...methods("outgoing-response", outgoingResponse, {
        "status-code": func({}, u16),
        "set-status-code": func({ "status-code": u16 }, result(none, none)),
        headers: func({}, own(fields)),
        body: func({}, result(own(outgoingBody), none)),
      }),
      ...methods("outgoing-body", outgoingBody, {
        write: func({}, result(own(outputStream), none)),
      }),
      ...methods("future-incoming-response", futureIncomingResponse, {
        subscribe: func({}, own(pollable)),
        get: func({}, option(result(result(own(incomingResponse), errorCode), none))),
      }),
    },
  },
  "wasi:http/outgoing-handler": {
    resources: {
      "outgoing-request": outgoingRequest,
      "request-options": requestOptions,
      "future-incoming-response": futureIncomingResponse,
    },
    functions: {
      handle: func(
        { request: own(outgoingRequest), options: option(own(requestOptions)) },
        result(own(futureIncomingResponse), errorCode),
      ),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
