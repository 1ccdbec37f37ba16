import { readFile } from "node:fs/promises";
import test from "ava";
import { OtaError } from "../../ota/errors.ts";
import { checkManifestMatches, parseManifest } from "../../ota/manifest.ts";

function parse(text: string) {
  return parseManifest(new TextEncoder().encode(text));
}

const MINIMAL = `name = "acme/thermo"\nversion = "1.0.0"\nworld = "reactor"\n`;

test("a manifest gives every value in its unit", async (t) => {
  const manifest = await parse(`${MINIMAL}description = "d"
[request]
sensor = ["ambient"]
serial = ["modbus0"]
publish = ["telemetry/#", "alarm/+/high"]
subscribe = ["message/#", "telemetry/acme.meter/+"]
memory = "2MiB"
storage = "512KiB"
[env]
PERIOD_MS = "1000"
[reactor]
interval = "5s"
[health]
window = "30s"
require = ["health", "telemetry"]
`);
  t.deepEqual(manifest, {
    name: "acme/thermo",
    version: "1.0.0",
    description: "d",
    world: "reactor",
    hardware: [],
    request: {
      sensor: ["ambient"],
      serial: ["modbus0"],
      publish: ["telemetry/#", "alarm/+/high"],
      subscribe: ["message/#", "telemetry/acme.meter/+"],
      memoryBytes: 2 * 1024 * 1024,
      storageBytes: 512 * 1024,
    },
    env: { PERIOD_MS: "1000" },
    intervalMs: 5_000,
    health: { windowMs: 30_000, require: ["alive", "telemetry", "health"] },
  });
});

test("what a manifest does not request, it does not get", async (t) => {
  const manifest = await parse(MINIMAL);
  t.deepEqual(manifest.request.sensor, []);
  t.deepEqual(manifest.request.serial, []);
  t.deepEqual(manifest.request.publish, []);
  t.deepEqual(manifest.request.subscribe, []);
  t.is(manifest.request.storageBytes, 0);
  t.deepEqual(manifest.env, {});
});

test("staying alive is always required", async (t) => {
  const manifest = await parse(`${MINIMAL}[health]\nrequire = []\n`);
  t.deepEqual(manifest.health.require, ["alive"]);
});

for (const module of ["thermo-c", "alarm-rust", "heater-c", "modbus-js", "summary-js", "greedy-c"]) {
  test(`the manifest of the example ${module} is one`, async (t) => {
    const bytes = await readFile(new URL(`../../examples/${module}/module.toml`, import.meta.url));
    await t.notThrowsAsync(parseManifest(bytes));
  });
}

for (const [what, text, code, message] of [
  [
    "a value of [config] that is no text",
    `${MINIMAL}[config]\nsetpoint = 21\n`,
    "manifest/malformed",
    "module.toml:5: ",
  ],
  [
    "variables that are too long together",
    `${MINIMAL}[env]\n${Array.from({ length: 40 }, (_, n) => `NAME${n} = "${"x".repeat(1_000)}"`).join("\n")}\n`,
    "manifest/malformed",
    'module.toml:5: "NAME0" in [env] is one of values that take',
  ],
  [
    "values for wasi:config that are too long together, as they are handed over",
    `${MINIMAL}[config]\n${Array.from({ length: 32 }, (_, n) => `name${n} = "${"\\u0001".repeat(200)}"`).join("\n")}\n`,
    "manifest/malformed",
    'module.toml:5: "name0" in [config] is one of values that take',
  ],
  ["an unknown key", `${MINIMAL}colour = 1\n`, "manifest/unknown-key", 'module.toml:4: unknown key "colour"'],
  [
    "a mistyped key of [request]",
    `${MINIMAL}[request]\nsensors = []\n`,
    "manifest/unknown-key",
    'module.toml:5: unknown key "sensors" in [request]; did you mean "sensor"?',
  ],
  [
    "a missing name",
    `version = "1.0.0"\nworld = "command"\n`,
    "manifest/malformed",
    'module.toml:1: "name" is missing',
  ],
  [
    "a name without publisher",
    MINIMAL.replace("acme/", ""),
    "manifest/malformed",
    'module.toml:1: "name" must be',
  ],
  [
    "a version that is none",
    MINIMAL.replace("1.0.0", "1.0"),
    "manifest/malformed",
    'module.toml:2: "version" must be',
  ],
  [
    "an unknown world",
    MINIMAL.replace("reactor", "browser"),
    "manifest/malformed",
    'module.toml:3: "world" must be',
  ],
  [
    "a path for a sensor's name",
    `${MINIMAL}[request]\nsensor = ["../etc"]\n`,
    "manifest/malformed",
    'module.toml:5: "sensor", item 1, in [request] must be a name',
  ],
  [
    "a topic that leaves the module's own",
    `${MINIMAL}[request]\npublish = ["telemetry/#/x"]\n`,
    "manifest/malformed",
    'module.toml:5: "publish", item 1, in [request] must be a topic filter',
  ],
  [
    "a topic that nobody is told",
    `${MINIMAL}[request]\nsubscribe = ["command/#"]\n`,
    "manifest/malformed",
    'module.toml:5: "subscribe", item 1, in [request] must be a topic filter below message/ or telemetry/',
  ],
  [
    "messages for a command",
    `${MINIMAL.replace("reactor", "command")}[request]\nsubscribe = ["message/#"]\n`,
    "manifest/malformed",
    'module.toml:5: "subscribe" in [request] is for reactors',
  ],
  [
    "memory beyond the bound",
    `${MINIMAL}[request]\nmemory = "5GiB"\n`,
    "manifest/malformed",
    'module.toml:5: "memory" in [request] must be at most 1GiB',
  ],
  [
    "an environment variable with an equals sign in its name",
    `${MINIMAL}[env]\n"A=B" = "1"\n`,
    "manifest/malformed",
    'module.toml:5: "A=B" in [env] is no name',
  ],
  [
    "a trial without end",
    `${MINIMAL}[health]\nwindow = "30d"\n`,
    "manifest/malformed",
    'module.toml:5: "window" in [health] must be at most 1h',
  ],
  [
    "a timer that never rests",
    `${MINIMAL}[reactor]\ninterval = "1ms"\n`,
    "manifest/malformed",
    'module.toml:5: "interval" in [reactor] must be at least 10ms',
  ],
  [
    "health asked of a command",
    `${MINIMAL.replace("reactor", "command")}[health]\nrequire = ["health"]\n`,
    "manifest/malformed",
    'module.toml:5: "require", item 1, in [health] must be one of "alive", "telemetry"',
  ],
  [
    "an interval for a command",
    `${MINIMAL.replace("reactor", "command")}[reactor]\ninterval = "1s"\n`,
    "manifest/unknown-key",
    'module.toml:4: unknown key "reactor"',
  ],
  [
    "telemetry asked for and no topic to send it to",
    `${MINIMAL}[health]\nrequire = ["telemetry"]\n`,
    "manifest/malformed",
    'module.toml:4: "health" requires telemetry',
  ],
  ["no TOML", "{", "manifest/malformed", "module.toml:1: not TOML: "],
] as const) {
  test(`refuses ${what}, naming the line`, async (t) => {
    const error = await t.throwsAsync(parse(text), { instanceOf: OtaError });
    t.is(error?.code, code);
    t.true(error?.message.startsWith(message), error?.message);
  });
}

test("refuses bytes that are no UTF-8", async (t) => {
  await t.throwsAsync(parseManifest(Uint8Array.of(0xff, 0xfe)), { code: "manifest/malformed" });
});

test("refuses the manifest of another version than the release", async (t) => {
  const manifest = await parse(MINIMAL);
  t.notThrows(() => checkManifestMatches(manifest, { module: "acme/thermo", version: "1.0.0" }));
  t.throws(() => checkManifestMatches(manifest, { module: "acme/thermo", version: "1.0.1" }), {
    code: "manifest/mismatch",
  });
  t.throws(() => checkManifestMatches(manifest, { module: "acme/other", version: "1.0.0" }), {
    code: "manifest/mismatch",
  });
});

test("[config] is a table of texts, and absent without one", async (t) => {
  const manifest = await parse(`${MINIMAL}[config]\nsetpoint = "21"\n"zone.name" = "hall"\n`);
  t.deepEqual(manifest.request.config, { setpoint: "21", "zone.name": "hall" });
  t.false("config" in (await parse(MINIMAL)).request);
});

test("hosts and addresses of the network are read in their form, and left out where nobody asks for them", async (t) => {
  const manifest = (request: string) =>
    parse(`name = "a/b"\nversion = "1.0.0"\nworld = "command"\n[request]\n${request}`);
  const rules = [
    "api.example.org:443",
    "*.a-b.org:8000-8010",
    "10.0.0.0/8:*",
    "[fd00::/8]:53/udp",
    "*:1/tcp",
  ];
  const { request } = await manifest(`network = ${JSON.stringify(rules)}\nlisten = ["*:8080"]\n`);
  t.deepEqual(request.network, rules);
  t.deepEqual(request.listen, ["*:8080"]);
  t.false("network" in (await manifest("")).request);
  for (const rule of ["api.example.org", "https://a.org:443", "a.org:port", "a b:1", "a.org:443/sctp"]) {
    await t.throwsAsync(manifest(`network = ["${rule}"]\n`), {
      code: "manifest/malformed",
      message: /must be HOST:PORT/,
    });
  }
});
