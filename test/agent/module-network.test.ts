/** `skerry module run` and `inspect` with modules that use the network, in processes of their own. */

import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { makeCertificates } from "../support/certificates.ts";
import { temporaryFolder } from "../support/folders.ts";
import { tcpServer } from "../support/network.ts";
import { skerry } from "../support/skerry-command.ts";
import { requireTool } from "../support/tools.ts";

const guest = (name: string) => fileURLToPath(new URL(`../sandbox/guests/${name}.wasm`, import.meta.url));

async function shouting(t: ExecutionContext): Promise<string> {
  const { port } = await tcpServer(t, (socket) => {
    socket.on("data", (data) => socket.write(data.toString().toUpperCase()));
    socket.on("end", () => socket.end());
  });
  return `127.0.0.1:${port}`;
}

test("run: nothing is reached that was not named, and what was not is told", async (t) => {
  const place = await shouting(t);
  const run = (...options: string[]) =>
    skerry(["module", "run", guest("sockets"), ...options, "--", "tcp", place, "hello"]);
  const without = await run();
  t.is(without.stdout.toString(), "failed PermissionDenied\n");
  t.regex(without.stderr, /^warning: network: not granted: anything/);
  const other = await run("--allow-net", "127.0.0.1:1");
  t.is(other.stdout.toString(), "failed PermissionDenied\n");
  t.regex(other.stderr, /^warning: network: not granted: connecting to 127\.0\.0\.1 port \d+\/tcp$/m);
  const allowed = await run("--allow-net", "127.0.0.1:1", "--allow-net", place);
  t.regex(allowed.stdout.toString(), /^HELLO\n/);
  t.is(allowed.stderr, "");
});

test("run: wrong rules are named and end with 2", async (t) => {
  for (const [option, rule, message] of [
    ["--allow-net", "http://example.org", /--allow-net: "http:\/\/example\.org" must be HOST:PORT/],
    ["--allow-listen", "example.org:80", /--allow-listen: "example\.org:80" must be ADDRESS:PORT/],
  ] as const) {
    const { code, stderr } = await skerry(["module", "run", guest("sockets"), option, rule]);
    t.is(code, 2);
    t.regex(stderr, message);
  }
});

test("run: a manifest's request is held against the policy, as on a device", async (t) => {
  const folder = await temporaryFolder(t);
  const place = await shouting(t);
  const policy = join(folder, "device.toml");
  const manifest = join(folder, "module.toml");
  const files = ["--policy", policy, "--manifest", manifest];
  const run = async (granted: string, requested: string) => {
    await writeFile(policy, `[[grant]]\nmodule = "acme/*"\n${granted}`);
    const head = 'name = "acme/net"\nversion = "1.0.0"\nworld = "command"\n';
    await writeFile(manifest, `${head}[request]\n${requested}`);
    return skerry(["module", "run", guest("sockets"), ...files, "--", "tcp", place, "hello"]);
  };
  const granted = await run('network = ["127.0.0.0/8:*"]\n', `network = ["${place}"]\n`);
  t.regex(granted.stdout.toString(), /^HELLO\n/);
  const refused = await run('network = ["*:*"]\n', `network = ["${place}"]\n`);
  t.is(refused.code, 125);
  t.regex(
    refused.stderr,
    /acme\/net asks for "127\.0\.0\.1:\d+" on the network, which no grant gives it: add .* to network/,
  );
  const silent = await run('network = ["*:*"]\n', "");
  t.is(silent.code, 125);
  t.regex(silent.stderr, /imports wasi:sockets\/\S+, but no network is granted to it/);
  const nothing = await run("", "network = []\n");
  t.is(nothing.stdout.toString(), "failed PermissionDenied\n");
  const wrong = await run("", 'network = ["no port"]\n');
  t.regex(wrong.stderr, /"network", item 1, in \[request\] must be HOST:PORT/);
});

test("run: https wants a certificate that is trusted, and the host's", async (t) => {
  if (!requireTool(t, "openssl")) return;
  const folder = await temporaryFolder(t);
  const { caFile, server } = await makeCertificates(folder, "nobody");
  const [cert, key] = await Promise.all([readFile(server.certFile), readFile(server.keyFile)]);
  const listener = createServer({ cert, key }, (_request, response) => void response.end("over TLS"));
  t.teardown(() => void listener.close());
  const { promise, resolve } = Promise.withResolvers<void>();
  listener.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = listener.address() as AddressInfo;
  const get = (host: string, env: Readonly<Record<string, string>>) => {
    const args = [
      "--allow-net",
      "127.0.0.0/8:*",
      "--allow-net",
      "localhost:*",
      "--",
      "GET",
      "https",
      `${host}:${port}`,
    ];
    return skerry(["module", "run", guest("http"), ...args, "/"], undefined, undefined, env);
  };
  const trusted = { NODE_EXTRA_CA_CERTS: caFile };
  t.regex((await get("localhost", trusted)).stdout.toString(), /\nover TLS\n/);
  t.is((await get("localhost", {})).stdout.toString(), "response 13\n", "an unknown authority");
  t.is((await get("127.0.0.2", trusted)).stdout.toString(), "response 6\n", "nobody listens there");
  const careless = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  t.is((await get("localhost", careless)).stdout.toString(), "response 13\n", "the environment has no say");
});

test("inspect: what imports the network needs a grant of it", async (t) => {
  const { stdout } = await skerry(["module", "inspect", guest("http")]);
  t.regex(stdout.toString(), /wasi:http\/outgoing-handler@0\.2\.8 {2}needs a grant/);
  t.is(stdout.toString().match(/^ {2}network = \["api\.example\.org:443"\]$/gm)?.length, 2);
});
