import test from "ava";
import { parse } from "smol-toml";
import { parseDevicePolicy } from "../../devices/policy.ts";

/** Parses the text as a policy; every mistake as "path: message". */
function parsePolicy(toml: string) {
  const problems: string[] = [];
  const policy = parseDevicePolicy(parse(toml), (path, message) =>
    problems.push(`${path.join(".")}: ${message}`),
  );
  return { policy, problems };
}

test("reads hardware and grants", (t) => {
  const { policy, problems } = parsePolicy(`
    [sensor.ambient]
    driver = "hwmon"
    chip = "lm75"
    channel = "temp1"
    [sensor.fake]
    driver = "simulated"
    start = 21.5
    amplitude = 2
    period = "30s"
    [serial.modbus0]
    path = "/dev/ttyUSB0"
    baud = 19200
    parity = "even"
    [serial.play]
    driver = "virtual"
    [[grant]]
    module = "acme/*"
    sensor = ["ambient"]
    serial = ["modbus0"]
    publish = ["telemetry/#"]
    subscribe = ["message/#"]
    memory = "2MiB"
storage = "1MiB"
    [[grant]]
    module = "other/thing"
  `);
  t.deepEqual(problems, []);
  t.deepEqual(
    policy.sensors,
    new Map([
      ["ambient", { driver: "hwmon", chip: "lm75", channel: "temp1", device: undefined }],
      ["fake", { driver: "simulated", start: 21.5, amplitude: 2, periodMs: 30_000, unit: "Cel" }],
    ]),
  );
  t.deepEqual(
    policy.serialPorts,
    new Map([
      [
        "modbus0",
        {
          driver: "port",
          path: "/dev/ttyUSB0",
          baud: 19200,
          dataBits: 8,
          parity: "even",
          stopBits: 1,
          flowControl: "none",
        },
      ],
      ["play", { driver: "virtual", link: undefined }],
    ]),
  );
  t.deepEqual(policy.grants, [
    {
      module: "acme/*",
      sensor: ["ambient"],
      serial: ["modbus0"],
      network: [],
      listen: [],
      publish: ["telemetry/#"],
      subscribe: ["message/#"],
      memoryBytes: 2 * 1024 * 1024,
      storageBytes: 1024 * 1024,
      codeBytes: 1024 * 1024,
    },
    {
      ...{
        module: "other/thing",
        sensor: [],
        serial: [],
        publish: [],
        subscribe: [],
        network: [],
        listen: [],
      },
      memoryBytes: 4 * 1024 * 1024,
      storageBytes: 0,
      codeBytes: 1024 * 1024,
    },
  ]);
});

test("an empty policy grants nothing", (t) => {
  const { policy, problems } = parsePolicy("");
  t.deepEqual(problems, []);
  t.deepEqual([policy.sensors.size, policy.serialPorts.size, policy.grants.length], [0, 0, 0]);
});

const mistakes: readonly (readonly [what: string, toml: string, problem: RegExp])[] = [
  [
    "an unknown driver",
    '[sensor.a]\ndriver = "magic"',
    /^sensor\.a\.driver: must be one of "hwmon", "simulated"/,
  ],
  ["a missing chip", '[sensor.a]\ndriver = "hwmon"\nchannel = "temp1"', /^sensor\.a: chip is missing/],
  [
    "a channel that climbs out",
    '[sensor.a]\ndriver = "hwmon"\nchip = "x"\nchannel = "../temp1"',
    /^sensor\.a\.channel: /,
  ],
  [
    "a misspelt key",
    '[sensor.a]\ndriver = "simulated"\namplitud = 1',
    /^sensor\.a\.amplitud: unknown key; known here: .*amplitude/,
  ],
  [
    "a misspelt driver, and nothing of the keys that belong to it",
    '[sensor.a]\ndriver = "simulatd"\nstart = 20\nunit = "Cel"',
    /^sensor\.a\.driver: must be one of "hwmon", "simulated"/,
  ],
  [
    "a misspelt driver of a port",
    '[serial.a]\ndriver = "virtul"\nlink = "x"',
    /^serial\.a\.driver: must be one of "port", "virtual"/,
  ],
  ["a name in capitals", '[sensor.A]\ndriver = "simulated"', /^sensor\.A: the name must be/],
  [
    "a number that is not finite",
    '[sensor.a]\ndriver = "simulated"\nstart = inf',
    /^sensor\.a\.start: must be a number/,
  ],
  [
    "a period without a unit",
    '[sensor.a]\ndriver = "simulated"\nperiod = 30',
    /^sensor\.a\.period: must be a whole number with a unit/,
  ],
  ["a period out of range", '[sensor.a]\ndriver = "simulated"\nperiod = "0s"', /^sensor\.a\.period: /],
  ["sensors that are no tables", "sensor = 3", /^sensor: must be at most 256 tables/],
  ["a sensor that is no table", "sensor.a = 3", /^sensor\.a: must be a table/],
  ["a port without a path", "[serial.a]\nbaud = 9600", /^serial\.a: path is missing/],
  ["a speed of zero", '[serial.a]\npath = "/dev/x"\nbaud = 0', /^serial\.a\.baud: must be a number from 50/],
  [
    "a broken speed",
    '[serial.a]\npath = "/dev/x"\nbaud = 9600.5',
    /^serial\.a\.baud: must be a whole number/,
  ],
  [
    "a setting that a virtual port lacks",
    '[serial.a]\ndriver = "virtual"\nbaud = 9600',
    /^serial\.a\.baud: unknown key/,
  ],
  ["a grant without a module", "[[grant]]\nsensor = []", /^grant\.0: module is missing/],
  [
    "a pattern of another shape",
    '[[grant]]\nmodule = "acme*"',
    /^grant\.0\.module: must be "publisher\/name"/,
  ],
  [
    "a value for wasi:config that is no text",
    '[[grant]]\nmodule = "acme/*"\nconfig = { setpoint = 21 }',
    /^grant\.0\.config: must be a table of at most 32 texts/,
  ],
  [
    "values for wasi:config that are too long together, all that one module is told",
    Array.from(
      { length: 3 },
      (_, grant) =>
        `[[grant]]\nmodule = "${["*/*", "acme/*", "acme/thermo"][grant]}"\nconfig = { ${Array.from(
          { length: 30 },
          (_, n) => `name${grant}_${n} = "${"x".repeat(200)}"`,
        ).join(", ")} }`,
    ).join("\n"),
    /^grant\.2\.config: .*acme\/thermo is told [\d.]+KiB together with the other grants .*, 16KiB are the most/,
  ],
  [
    "a grant of topics that nobody is told",
    '[[grant]]\nmodule = "acme/*"\nsubscribe = ["command/#"]',
    /^grant\.0\.subscribe(\.0)?: .*must begin with message\/ or telemetry\//,
  ],
  [
    "a grant of hardware that is nowhere",
    '[[grant]]\nmodule = "*/*"\nsensor = ["ambient"]',
    /^grant\.0\.sensor\.0: there is no \[sensor\.ambient\]/,
  ],
  [
    "a grant of an inherited name",
    '[[grant]]\nmodule = "*/*"\nserial = ["constructor"]',
    /^grant\.0\.serial\.0: there is no/,
  ],
  [
    "a filter that is none",
    '[[grant]]\nmodule = "*/*"\npublish = ["a/#/b"]',
    /^grant\.0\.publish\.0: # must be the last level/,
  ],
  [
    "a name twice",
    '[[grant]]\nmodule = "*/*"\npublish = ["a", "a"]',
    /^grant\.0\.publish\.1: "a" stands there twice/,
  ],
  ["a list of numbers", '[[grant]]\nmodule = "*/*"\npublish = [1]', /^grant\.0\.publish\.0: must be a text/],
  ["too little memory", '[[grant]]\nmodule = "*/*"\nmemory = "1KiB"', /^grant\.0\.memory: /],
  [
    "grants that are no list",
    "[grant]\nmodule = 1",
    /^grant: must be at most 256 tables, each as \[\[grant\]\]/,
  ],
];
for (const [what, toml, problem] of mistakes) {
  test(`reports ${what}, once and with its path`, (t) => {
    const { problems } = parsePolicy(toml);
    t.is(problems.length, 1, problems.join("\n"));
    t.regex(problems[0] ?? "", problem);
  });
}

test("finds every mistake in one pass", (t) => {
  const { problems } = parsePolicy(
    '[sensor.a]\ndriver = "magic"\n[serial.b]\nbaud = "fast"\n[[grant]]\nmodule = "x"',
  );
  t.deepEqual(
    problems.map((problem) => problem.split(":")[0]),
    ["sensor.a.driver", "serial.b", "serial.b.baud", "grant.0.module"],
  );
});

test("a grant's config is a table of texts", (t) => {
  const grant = { module: "acme/*", config: { setpoint: "21", "zone.name": "hall" } };
  const policy = parseDevicePolicy({ grant: [grant] }, (path, message) => t.fail(`${path}: ${message}`));
  t.deepEqual(policy.grants[0]?.config, grant.config);
});
