/**
 * The operator's command line, in the process: exit codes, what is printed, and a whole session against
 * Mosquitto.
 */

import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import mqtt, { type MqttClient } from "mqtt";
import { readSettings } from "../../fleet/settings.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";
import { componentBytes, manifestText, newRepository, publish, temporaryFolder } from "./fixture.ts";
import { run } from "./run-command.ts";

async function start(t: ExecutionContext, users?: Readonly<Record<string, string>>): Promise<Mosquitto> {
  const broker = await startMosquitto(users === undefined ? {} : { users });
  t.teardown(broker.dispose);
  return broker;
}

async function device(t: ExecutionContext, broker: Mosquitto): Promise<MqttClient> {
  const client = await mqtt.connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0 });
  t.teardown(() => client.endAsync(true));
  return client;
}

const COMMANDS = ["keys", "publish", "assign", "sync", "refresh", "devices", "send", "watch"];

test("--help of each command tells its usage and exits 0", async (t) => {
  for (const command of COMMANDS) {
    const { exitCode, out, err } = await run([command, "--help"]);
    t.is(exitCode, 0, command);
    t.true(out.startsWith(`usage: skerry ${command}`), command);
    t.is(err, "", command);
  }
});

test("wrong usage exits 2, says what is wrong and how it goes", async (t) => {
  const { folder } = await newRepository(t);
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["keys"], /init/],
    [["keys", "destroy"], /"destroy" is none of init, list/],
    [["keys", "rotate"], /the key is missing/],
    [["publish", "--manifest", "module.toml"], /component's file is missing/],
    [["publish", "a.wasm"], /--manifest module\.toml is missing/],
    [["publish", "a.wasm", "b.wasm", "--manifest", "m"], /"b\.wasm" is one argument too many/],
    [["assign", "acme/thermo"], /"acme\/thermo" is no release/],
    [["assign", "acme/thermo@1.0.0", "--percent", "half"], /--percent half/],
    [["assign", "acme/thermo@1.0.0", "--percent", "101"], /101/],
    [["assign", "acme/thermo@1.0.0", "--device", "pi-01", "--group", "lab"], /--device goes without --group/],
    [["assign", "acme/thermo", "--unpin"], /--unpin needs --device/],
    [["sync", "--broker", "http://127.0.0.1"], /"http:\/\/127\.0\.0\.1" is no broker address/],
    [["sync", "--broker", "mqtt://user:secret@127.0.0.1"], /is no broker address/],
    [["sync", "--password", "secret"], /--password/],
    [["sync", "--password-file", "password"], /--password-file needs --username/],
    [["watch", "--colour"], /--colour/],
  ];
  for (const [argv, message] of wrong) {
    const { exitCode, err } = await run(argv, { env: { SKERRY_REPO: folder } });
    t.is(exitCode, 2, argv.join(" "));
    t.regex(err, message);
    t.regex(err, new RegExp(`usage: skerry ${argv[0]}`));
  }
  t.is((await run(["destroy"])).exitCode, 2);
});

test("a failure exits 1 with its message and code", async (t) => {
  const folder = await temporaryFolder(t);
  const { exitCode, err } = await run(["sync", "--repo", folder]);
  t.is(exitCode, 1);
  t.regex(err, /^error: There is no skerry\.toml in .*skerry keys init.* \(fleet\/no-repository\)\n$/);
});

test("a change that the broker is not there for, or refuses, stays in the folder, and the error says what sends it", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t, { operator: "secret" });
  const folder = await temporaryFolder(t);
  const env = { SKERRY_REPO: (await newRepository(t)).folder };
  const [component, manifest] = [join(folder, "a.wasm"), join(folder, "module.toml")];
  await writeFile(component, componentBytes(1_000, 1));
  await writeFile(manifest, manifestText("acme/thermo", "1.0.0"));
  for (const [argv, code] of [
    [["publish", component, "--manifest", manifest], "broker-unreachable"],
    [["assign", "acme/thermo@1.0.0"], "broker-unreachable"],
    [["assign", "acme/thermo", "--device", "pi-01", "--unpin"], "unknown-release"],
    [["assign", "acme/thermo@1.0.0", "--broker", broker.url], "broker-refused"],
    [["assign", "acme/thermo@1.0.0", "--cafile", join(folder, "none.pem")], "io"],
    [["refresh", "--force"], "broker-unreachable"],
  ] as const) {
    const { exitCode, err } = await run(argv, { env });
    t.is(exitCode, 1, argv.join(" "));
    t.true(err.includes(`(fleet/${code})`), err);
    t.is(
      /The folder is up to date: `skerry sync` sends what it has/.test(err),
      code !== "unknown-release",
      err,
    );
  }
});

test("assign --device tells that nobody has heard of the device, and whom it resembles; a known one, or one pinned before, is not told of", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const repository = await newRepository(t, { broker });
  await publish(repository);
  const client = await device(t, broker);
  const status = JSON.stringify({ status: "offline" });
  await client.publishAsync("skerry/v1/demo/device/pump-01/status", status, { qos: 1, retain: true });
  const assign = async (...argv: readonly string[]): Promise<string> => {
    const env = { SKERRY_REPO: repository.folder };
    const { exitCode, out, err } = await run(["assign", "acme/thermo@1.0.0", "--device", ...argv], { env });
    t.is(exitCode, 0, err);
    return out;
  };
  t.notRegex(await assign("pump-01"), /note/);
  const mistyped = await assign("pump-o1");
  t.regex(mistyped, /note: no device pump-o1 is known: it has never reported\. Did you mean pump-01\?/);
  t.regex(mistyped, /`skerry assign acme\/thermo --device pump-o1 --unpin` takes the pin back/);
  t.notRegex(await assign("pump-o1"), /note/, "it is meant so");
  t.regex(
    await assign("gate-7"),
    /note: no device gate-7 is known: it has never reported\. If it is one to come/,
  );
  t.regex(await assign("gate-8", "--no-sync"), /nothing was pinned to it before\. Did you mean gate-7\?/);
  t.notRegex(await assign("roof", "--no-sync"), /note/, "nobody can tell");
});

test("a session: create, publish, assign, refresh, sync, devices", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const folder = await temporaryFolder(t);
  const fleet = join(folder, "fleet");
  const env = { SKERRY_REPO: fleet };
  await writeFile(join(folder, "a.wasm"), componentBytes(150_000, 1));
  await writeFile(join(folder, "module.toml"), manifestText("acme/thermo", "1.0.0"));

  const created = await run([
    "keys",
    "init",
    fleet,
    "--fleet",
    "north",
    "--broker",
    broker.url,
    "--no-passphrase",
  ]);
  t.is(created.exitCode, 0, created.err);
  for (const part of ["image/1.root.json", "director/1.root.json", "keys/image-root.json"])
    t.true(created.out.includes(part), part);
  t.like(await readSettings(fleet), { fleet: "north", broker: { url: broker.url } });
  t.is((await run(["keys", "init", fleet, "--no-passphrase"])).exitCode, 1);

  const published = await run(
    ["publish", join(folder, "a.wasm"), "--manifest", join(folder, "module.toml")],
    { env },
  );
  t.is(published.exitCode, 0, published.err);
  t.regex(published.out, /acme\/thermo@1\.0\.0: release 1, 150,000 bytes in 9 chunks/);
  t.regex(published.out, /11 of 11 blobs new to it/);
  const assigned = await run(["assign", "acme/thermo@1.0.0", "--percent", "25%"], { env });
  t.regex(assigned.out, /acme\/thermo@1\.0\.0: assigned to 25 % of group default/);
  t.regex((await run(["refresh"], { env })).out, /nothing is near its expiry/);
  t.regex(
    (await run(["sync"], { env })).out,
    /nothing to publish, it holds the metadata and 11 blobs; verified by reading back/,
  );
  t.regex((await run(["devices"], { env })).out, /No device of fleet "north" has reported yet/);
});

test("--no-sync needs no broker", async (t) => {
  const { folder } = await newRepository(t);
  await publish(await newRepository(t));
  const env = { SKERRY_REPO: folder };
  t.is((await run(["refresh", "--force", "--no-sync"], { env })).exitCode, 0);
  const offline = await run(["refresh", "--force"], { env });
  t.is(offline.exitCode, 1);
  t.regex(offline.err, /fleet\/broker-unreachable/);
});

test("the password comes from the environment, the option's file or the settings' file", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await start(t, { operator: "pässword" });
  const { folder } = await newRepository(t, { broker });
  const passwordFile = join(folder, "secret.password");
  await writeFile(passwordFile, "pässword\n");
  await chmod(passwordFile, 0o600);
  const env = { SKERRY_REPO: folder };
  const argv = ["sync", "--username", "operator"];
  t.is((await run(argv, { env })).exitCode, 1);
  t.is((await run(argv, { env: { ...env, SKERRY_MQTT_PASSWORD: "pässword" } })).exitCode, 0);
  t.is((await run([...argv, "--password-file", passwordFile], { env })).exitCode, 0);
  const settings = await readFile(join(folder, "skerry.toml"), "utf8");
  const withUser = settings.replace(
    "[broker]",
    '[broker]\nusername = "operator"\npassword_file = "secret.password"',
  );
  await writeFile(join(folder, "skerry.toml"), withUser);
  t.is((await run(["sync"], { env })).exitCode, 0);
});

const STATUS = {
  status: "online",
  time: "2030-01-01T00:00:00.000Z",
  agent: "0.1.0",
  bootId: "b1",
  groups: ["default"],
};
const MODULE = {
  phase: "committed",
  running: "1.0.0",
  staged: null,
  trial: null,
  committed: "1.0.0",
  desired: "1.1.0",
  failed: { version: "1.1.0", code: "trial/trap", message: "unreachable" },
};

test("devices: who runs what, as a table and as JSON", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const { folder } = await newRepository(t, { broker });
  const client = await device(t, broker);
  const report = (id: string, kind: string, body: unknown): Promise<unknown> =>
    client.publishAsync(`skerry/v1/demo/device/${id}/${kind}`, JSON.stringify(body), {
      qos: 1,
      retain: true,
    });
  await report("pi-02", "status", { ...STATUS, status: "offline" });
  await report("pi-01", "status", STATUS);
  await report("pi-01", "state", { time: STATUS.time, modules: { "acme/thermo": MODULE } });
  const { out } = await run(["devices", "--repo", folder]);
  t.is(
    out,
    [
      "DEVICE  STATUS   AGENT  MODULE       RUNNING  DESIRED  PHASE      FAILED",
      "pi-01   online   0.1.0  acme/thermo  1.0.0    1.1.0    committed  1.1.0 trial/trap",
      "pi-02   offline  0.1.0  -            -        -        -          -",
      "",
    ].join("\n"),
  );
  const json: unknown = JSON.parse((await run(["devices", "--json", "--repo", folder])).out);
  t.deepEqual(json, [
    { device: "pi-01", ...STATUS, modules: [{ module: "acme/thermo", ...MODULE }] },
    { device: "pi-02", ...STATUS, status: "offline", modules: [] },
  ]);
});

test("devices: what a broken or hostile device says does not reach the terminal, and hides no other device", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const { folder } = await newRepository(t, { broker });
  const client = await device(t, broker);
  const hostile: readonly (readonly [string, string, string])[] = [
    ["a", "status", "not JSON"],
    [
      "b",
      "status",
      JSON.stringify({ ...STATUS, status: "\u001b[2J\u009bonline\n", agent: "x".repeat(5_000) }),
    ],
    [
      "c",
      "state",
      JSON.stringify({ modules: { "acme/thermo": { running: 5, failed: "no" }, "\u001b[2J": {} } }),
    ],
    ["d", "state", `{"modules":${"[".repeat(5_000)}`],
    ["Not-An-Id", "status", JSON.stringify(STATUS)],
    ["good", "status", JSON.stringify(STATUS)],
  ];
  for (const [id, kind, body] of hostile) {
    await client.publishAsync(`skerry/v1/demo/device/${id}/${kind}`, body, { qos: 1, retain: true });
  }
  const { exitCode, out } = await run(["devices", "--repo", folder]);
  t.is(exitCode, 0);
  t.notRegex(out, /[^\n\x20-\x7e]/);
  t.true(out.split("\n").every((line) => line.length < 500));
  const ids = out
    .split("\n")
    .slice(1, -1)
    .map((line) => line.split(" ")[0]);
  t.deepEqual(ids, ["a", "b", "c", "d", "good"]);
});

/** What a terminal would obey: a bell, the start of an escape sequence in one character, text turned around. */
const CONTROLS = "unreachable\u0007\u009b\u202e";

test("watch: events and comings and goings as they happen, by the topic's device, until it is ended", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const { folder } = await newRepository(t, { broker });
  const client = await device(t, broker);
  const send = (kind: string, body: unknown, retain = false): Promise<unknown> =>
    client.publishAsync(`skerry/v1/demo/device/pi-01/${kind}`, JSON.stringify(body), { qos: 1, retain });
  await send("status", STATUS, true);
  const event = { time: STATUS.time, device: "another", module: "acme/thermo", version: "1.1.0" };

  for (const json of [false, true]) {
    const end = new AbortController();
    const onText = (text: string): void => {
      if (text.includes("watching")) void tell();
      if (text.includes("offline")) end.abort();
    };
    const tell = async (): Promise<void> => {
      await send("event", { ...event, event: "progress", received: 50, total: 200 });
      await send("event", {
        ...event,
        event: "rolled-back",
        code: "trial/trap",
        message: CONTROLS,
      });
      await send("status", { ...STATUS, status: "offline" }, true);
    };
    const options = { signal: end.signal, onText };
    const { exitCode, out } = await run(["watch", "--repo", folder, ...(json ? ["--json"] : [])], options);
    t.is(exitCode, 0);
    const lines = out.trimEnd().split("\n");
    t.is(lines.length, 3);
    if (json) {
      const objects = lines.map((line): unknown => JSON.parse(line));
      t.like(objects[0], { device: "pi-01", event: "progress", received: 50 });
      t.like(objects[1], { device: "pi-01", event: "rolled-back", code: "trial/trap", message: CONTROLS });
      t.notRegex(out, /[^\n\u0020-\u007e]/);
      t.like(objects[2], { device: "pi-01", status: "offline" });
    } else {
      t.is(lines[0], `${STATUS.time}  pi-01  acme/thermo@1.1.0  progress  25 %`);
      t.is(lines[1], `${STATUS.time}  pi-01  acme/thermo@1.1.0  rolled-back  trial/trap  unreachable???`);
      t.is(lines[2], `${STATUS.time}  pi-01  offline`);
    }
  }
});

test("watch goes on after the broker was away", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await start(t);
  const { folder } = await newRepository(t, { broker });
  const end = new AbortController();
  let connections = 0;
  const restart = async (): Promise<void> => {
    await broker.stop();
    await broker.start();
  };
  const tell = async (): Promise<void> => {
    const client = await device(t, broker);
    await client.publishAsync("skerry/v1/demo/device/pi-01/event", '{"event":"committed"}', { qos: 1 });
  };
  const onText = (text: string): void => {
    if (text.includes("watching")) {
      connections++;
      void (connections === 1 ? restart() : tell());
    }
    if (text.includes("committed")) end.abort();
  };
  const { exitCode, err } = await run(["watch", "--repo", folder], { signal: end.signal, onText });
  t.is(exitCode, 0);
  t.is(connections, 2);
  t.regex(err, /fleet\/broker-lost/);
});
