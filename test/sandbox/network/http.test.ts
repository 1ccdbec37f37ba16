/** `wasi:http` 0.2: guests/http.c against real servers on the loopback. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import anyTest, { type ExecutionContext } from "ava";
import { grantsOf, runGuest, tcpServer } from "../../support/network.ts";

/** Each starts a worker of its own. */
const test = anyTest.serial;

/** The numbers of `error-code`'s cases. */
const CODES = {
  dnsError: 1,
  destinationIpProhibited: 4,
  connectionRefused: 6,
  tlsProtocolError: 12,
  requestDenied: 15,
  requestBodySize: 17,
  methodInvalid: 18,
  responseIncomplete: 25,
  responseHeaderSectionSize: 26,
  protocolError: 35,
} as const;

async function httpServer(
  t: ExecutionContext,
  serve: (request: IncomingMessage, body: string, response: ServerResponse) => void,
): Promise<{ authority: string; port: number }> {
  const server = createServer(async (request, response) => {
    let body = "";
    try {
      for await (const piece of request) body += piece;
    } catch {
      // The module has given the request up, as it should.
      return;
    }
    serve(request, body, response);
  });
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { authority: `127.0.0.1:${port}`, port };
}

test("a response comes with status, headers, body and trailers", async (t) => {
  const { authority } = await httpServer(t, (request, _body, response) => {
    response.writeHead(201, {
      "x-seen": `${request.method} ${request.url} ${request.headers.host}`,
      trailer: "x-sum",
    });
    response.write("hello ");
    response.addTrailers({ "x-sum": "7" });
    response.end("world");
  });
  const { end, lines } = await runGuest("http", ["GET", "http", authority, "/a?b=c"], grantsOf([authority]));
  t.deepEqual(end, { kind: "exited", exitCode: 0 });
  t.is(lines[0], "status 201");
  t.true(lines.includes(`x-seen: GET /a?b=c ${authority}`));
  t.deepEqual(lines.slice(-3), ["hello world", "bytes 11", "x-sum: 7"]);
});

test("a body is sent in pieces, with the module's headers", async (t) => {
  const { authority } = await httpServer(t, (request, body, response) => {
    const { "x-tag": tag, "transfer-encoding": coding } = request.headers;
    response.end(`${request.method} ${tag} ${coding} ${body.length}`);
  });
  const args = ["PUT", "http", authority, "/", "0123456789", "500", "X-Tag=seven"];
  const { lines } = await runGuest("http", args, grantsOf([authority]));
  t.true(lines.includes("PUT seven chunked 5000"));
});

test("a body as long as its Content-Length is sent as such, another one is the module's error", async (t) => {
  const { authority } = await httpServer(t, (request, body, response) => {
    response.end(`${request.headers["content-length"]} ${request.headers["transfer-encoding"]} ${body}`);
  });
  const run = (length: number) =>
    runGuest(
      "http",
      ["POST", "http", authority, "/", "abc", "1", `content-length=${length}`],
      grantsOf([authority]),
    );
  t.true((await run(3)).lines.includes("3 undefined abc"));
  t.deepEqual((await run(4)).lines, [`finish ${CODES.requestBodySize}`]);
  t.regex((await run(2)).lines[0] ?? "", /^(?:finish|write) 17$/);
});

test("a large response arrives whole", async (t) => {
  const { authority } = await httpServer(
    t,
    (_request, _body, response) => void response.end("x".repeat(1_000_000)),
  );
  const { lines } = await runGuest("http", ["GET", "http", authority, "/"], grantsOf([authority]));
  t.is(lines.at(-1), "bytes 1000000");
});

test("a redirect is a response like any other", async (t) => {
  const { authority } = await httpServer(t, (_request, _body, response) => {
    response.writeHead(302, { location: "http://127.0.0.1:1/" });
    response.end();
  });
  const { lines } = await runGuest("http", ["GET", "http", authority, "/"], grantsOf([authority]));
  t.is(lines[0], "status 302");
});

test("a name is reached by a rule of its own, its address by itself is not", async (t) => {
  const { port } = await httpServer(t, (_request, _body, response) => void response.end("by name"));
  const rules = grantsOf([`localhost:${port}`]);
  const byName = await runGuest("http", ["GET", "http", `localhost:${port}`, "/"], rules);
  t.true(byName.lines.includes("by name"));
  const byAddress = await runGuest("http", ["GET", "http", `127.0.0.1:${port}`, "/"], rules);
  t.deepEqual(byAddress.lines, [`handle ${CODES.requestDenied}`]);
});

test("an allowed name that leads to the device itself is not connected to", async (t) => {
  const { port } = await httpServer(t, (_request, _body, response) => void response.end("secret"));
  const { lines, warnings } = await runGuest(
    "http",
    ["GET", "http", `localhost:${port}`, "/"],
    grantsOf([`*:${port}`]),
  );
  t.deepEqual(lines, [`response ${CODES.destinationIpProhibited}`]);
  t.regex(warnings.join(), /"localhost" leads to .*, which has to be granted by itself/);
});

for (const [what, authority] of Object.entries({
  "another port": "127.0.0.1:9",
  "another host": "example.net:1",
  "an address in disguise": "2130706433:1",
  "an address in octal": "0177.0.0.1:1",
  "a user before the host": "127.0.0.1:1@127.0.0.1:9",
})) {
  test(`a request to ${what} is refused before anything is sent`, async (t) => {
    const { lines } = await runGuest(
      "http",
      ["GET", "http", authority, "/"],
      grantsOf(["127.0.0.1:1", "*.org:1"]),
    );
    t.is(lines.length, 1);
    t.regex(lines[0] ?? "", /^(?:handle (?:15|19)|authority 0)$/);
  });
}

test("CONNECT makes no tunnel", async (t) => {
  const { lines } = await runGuest(
    "http",
    ["CONNECT", "http", "127.0.0.1:1", "/"],
    grantsOf(["127.0.0.1:1"]),
  );
  t.deepEqual(lines, [`handle ${CODES.methodInvalid}`]);
});

for (const field of [
  "Host=evil",
  "transfer-encoding=chunked",
  "Connection=upgrade",
  "x=a\r\nHost: evil",
  "a b=c",
]) {
  test(`the field ${JSON.stringify(field)} can't be set`, async (t) => {
    const args = ["GET", "http", "127.0.0.1:1", "/", "", "0", field];
    const { lines } = await runGuest("http", args, grantsOf(["127.0.0.1:1"]));
    t.regex(lines.join(), /^field [01]$/);
  });
}

test("a refused connection is told as such", async (t) => {
  const { server, port } = await tcpServer(t, () => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  await promise;
  const args = ["GET", "http", `127.0.0.1:${port}`, "/"];
  t.deepEqual((await runGuest("http", args, grantsOf([`127.0.0.1:${port}`]))).lines, [
    `response ${CODES.connectionRefused}`,
  ]);
});

const wrongAnswers: Readonly<Record<string, readonly [answer: string, line: string]>> = {
  "no HTTP": ["SSH-2.0-OpenSSH\r\n\r\n", `response ${CODES.protocolError}`],
  "headers without end": [
    `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}`,
    `response ${CODES.responseHeaderSectionSize}`,
  ],
  "too many headers": [
    `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(200)}\r\n`,
    `response ${CODES.responseHeaderSectionSize}`,
  ],
  "a body cut short": [
    "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc",
    `read ${CODES.responseIncomplete}`,
  ],
};

for (const [what, [answer, line]] of Object.entries(wrongAnswers)) {
  test(`a server that answers with ${what}`, async (t) => {
    const { port } = await tcpServer(t, (socket) => socket.once("data", () => socket.end(answer)).resume());
    const args = ["GET", "http", `127.0.0.1:${port}`, "/"];
    const { end, lines } = await runGuest("http", args, grantsOf(["127.0.0.1:*"]));
    t.is(end.kind, "exited");
    t.is(lines.at(-1), line);
  });
}

test("a name that leads nowhere is told as such, and the module goes on", async (t) => {
  // No label is that long: the system's resolver refuses it by itself.
  const host = `${"a".repeat(64)}.invalid`;
  const { end, lines } = await runGuest("http", ["GET", "http", host, "/"], grantsOf(["*.invalid:80"]));
  t.deepEqual(lines, [`response ${CODES.dnsError}`]);
  t.is(end.kind, "exited");
});

test("a server without TLS is no https", async (t) => {
  const { authority } = await httpServer(t, (_request, _body, response) => void response.end("secret"));
  const { lines } = await runGuest("http", ["GET", "https", authority, "/"], grantsOf([authority]));
  t.deepEqual(lines, [`response ${CODES.tlsProtocolError}`]);
});
