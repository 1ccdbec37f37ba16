/** What a guest of `wasi:http` fills in before its request is sent, on the worker's side. */

import test from "ava";
import type { HostCall, HostReply } from "../../../sandbox/channel.ts";
import { createControlMemory } from "../../../sandbox/control-block.ts";
import { ModuleSession } from "../../../sandbox/module-session.ts";
import type { NetworkCall, NetworkReply } from "../../../sandbox/network/protocol.ts";
import { createHttp } from "../../../sandbox/wasi/http/http.ts";
import { createPolling } from "../../../sandbox/wasi/poll.ts";
import { NetworkClient } from "../../../sandbox/wasi/sockets/client.ts";

/** A client whose agent answers as `answer` says. */
function clientOf(answer: (call: NetworkCall) => NetworkReply) {
  const session = new ModuleSession({ postMessage: () => {} }, createControlMemory());
  const call = (request: HostCall): { head: HostReply; payload: Uint8Array } => {
    if (request.call !== "network") throw new Error(request.call);
    return { head: { tag: "network", reply: answer(request.request) }, payload: new Uint8Array(0) };
  };
  return new NetworkClient({ call, enterHost: () => {} }, createPolling(session));
}

for (const failing of ["check-write", "write", "finish-body"] as const) {
  test(`a request whose ${failing} fails while it is sent gives a response all the same, which says why`, (t) => {
    const closed: number[] = [];
    let isFirst = true;
    const client = clientOf((call) => {
      if (call.op === "request") return { tag: "opened", id: 1 };
      if (call.op === "close") closed.push(call.id);
      const isFailing = call.op === failing && !(failing === "check-write" && isFirst);
      isFirst = false;
      if (isFailing || call.op === "response") return { tag: "http-error", code: "connection-refused" };
      return call.op === "check-write" ? { tag: "permit", bytes: 16_384 } : { tag: "done" };
    });
    const http = createHttp(client);
    const { Fields, OutgoingBody, OutgoingRequest } = http["wasi:http/types"];
    const request = new OutgoingRequest(new Fields());
    request.setAuthority("a.org");
    const body = request.body();
    const stream = body.write();
    for (let piece = 0; piece < 2; piece += 1) {
      t.true(stream.checkWrite() >= 4096n);
      stream.write(new Uint8Array(4096));
    }
    OutgoingBody.finish(body, undefined);
    const response = http["wasi:http/outgoing-handler"].handle(request, undefined);
    t.like(response.get(), { tag: "ok", val: { tag: "err", val: { tag: "connection-refused" } } });
    response[Symbol.dispose]();
    t.deepEqual(closed, [1]);
  });
}

/** A request's body, written as full as it gets before the request is sent. */
function fullBody() {
  const client = clientOf(({ op }) => {
    if (op === "request") return { tag: "opened", id: 1 };
    return op === "check-write" ? { tag: "permit", bytes: 16_384 } : { tag: "done" };
  });
  const http = createHttp(client);
  const { Fields, OutgoingRequest } = http["wasi:http/types"];
  const request = new OutgoingRequest(new Fields());
  request.setAuthority("a.org");
  const stream = request.body().write();
  stream.write(new Uint8Array(Number(stream.checkWrite())));
  return { http, request, stream };
}

test("waiting for room in the full body of a request that was not sent comes back at once, with an error", (t) => {
  const { http, stream } = fullBody();
  const room = stream.subscribe();
  t.true(room.ready());
  room.block();
  const error = t.throws(() => stream.checkWrite(), { any: true }) as unknown as { tag: string; val: object };
  t.is(error.tag, "last-operation-failed");
  t.deepEqual(http["wasi:http/types"].httpErrorCode(error.val), { tag: "HTTP-request-body-size" });
  t.deepEqual(t.throws(() => stream.checkWrite(), { any: true }) as unknown, { tag: "closed" });
});

test("who waits for room in a full body and sends the request meanwhile goes on writing", (t) => {
  const { http, request, stream } = fullBody();
  const room = stream.subscribe();
  http["wasi:http/outgoing-handler"].handle(request, undefined);
  t.true(room.ready());
  t.is(stream.checkWrite(), 16_384n);
});

test("fields and bodies that a module hoards lie in its worker's heap, whose limit they then reach", (t) => {
  const http = createHttp(clientOf(() => ({ tag: "done" })))["wasi:http/types"];
  const value = new Uint8Array(15_000).fill(0x61);
  const beforeBytes = process.memoryUsage().arrayBuffers;
  const hoard = Array.from({ length: 500 }, () => {
    const fields = new http.Fields();
    fields.append("a", value);
    const body = new http.OutgoingRequest(fields).body();
    const stream = body.write();
    stream.checkWrite();
    stream.write(value);
    return { fields, body };
  });
  t.true(process.memoryUsage().arrayBuffers - beforeBytes < value.byteLength * hoard.length);
  t.deepEqual(hoard[0]?.fields.get("A"), [value]);
});
