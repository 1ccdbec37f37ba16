import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { loadConfig, type ParsedConfig, parseConfig } from "../../agent/config.ts";
import type { AgentError } from "../../agent/errors.ts";

const GOOD = `fleet = "demo"
id = "pi-01"
groups = ["default", "kitchen"]
state_dir = "state"

[broker]
url = "mqtts://broker.example"
username = "pi-01"
password_file = "password"
ca_file = ""
cert_file = "pki/pi-01.pem"
key_file = "/pki/pi-01.key"
keepalive = "30s"

[trust]
image_root = "image.root.json"
director_root = "director.root.json"

[sensor.ambient]
driver = "simulated"

[serial.modbus0]
driver = "virtual"
link = "modbus"

[[grant]]
module = "acme/*"
sensor = ["ambient"]
publish = ["telemetry/#"]
`;

const MINIMAL = `fleet = "demo"
[broker]
url = "mqtt://[::1]"
[trust]
image_root = "i"
director_root = "d"
`;

const parse = (text: string, hostName = "Pi-02"): Promise<ParsedConfig> =>
  parseConfig(text, "/etc/skerry/device.toml", hostName);

test("every key is read; relative paths are relative to the file", async (t) => {
  const { config } = await parse(GOOD);
  t.like(config, {
    fleet: "demo",
    deviceId: "pi-01",
    groups: ["default", "kitchen"],
    stateDir: "/etc/skerry/state",
    broker: {
      host: "broker.example",
      port: 8883,
      tls: true,
      username: "pi-01",
      passwordFile: "/etc/skerry/password",
      caFile: undefined,
      certFile: "/etc/skerry/pki/pi-01.pem",
      keyFile: "/pki/pi-01.key",
      keepaliveSeconds: 30,
    },
    trust: {
      imageRootFile: "/etc/skerry/image.root.json",
      directorRootFile: "/etc/skerry/director.root.json",
    },
  });
  t.is(config.policy.sensors.get("ambient")?.driver, "simulated");
  t.deepEqual(config.policy.serialPorts.get("modbus0"), { driver: "virtual", link: "/etc/skerry/modbus" });
  t.is(config.policy.grants.length, 1);
});

test("what may be left out has a default: the id is the host name in lower case", async (t) => {
  const { config } = await parse(MINIMAL);
  t.like(config, {
    deviceId: "pi-02",
    groups: ["default"],
    stateDir: "/var/lib/skerry",
    broker: { host: "::1", port: 1883, tls: false, username: undefined, keepaliveSeconds: 60 },
  });
});

test("storage_budget is what versions may take, all that is free by default; one that holds nothing is a mistake", async (t) => {
  t.is((await parse(MINIMAL)).config.storageBudgetBytes, undefined);
  t.is((await parse(`storage_budget = "32MiB"\n${MINIMAL}`)).config.storageBudgetBytes, 32 * 1024 ** 2);
  await t.throwsAsync(parse(`storage_budget = "1KiB"\n${MINIMAL}`), {
    code: "config/wrong-value",
    message: /^device\.toml:1: "storage_budget" must be at least 64 ?KiB/,
  });
});

/** A document with one line replaced (or put in front, if it is not there), and what has to be said of it. */
const WRONG: readonly {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
  readonly code: string;
  readonly says: RegExp;
}[] = [
  {
    rule: "not TOML",
    from: 'id = "pi-01"',
    to: 'id = "pi-01',
    code: "config/malformed",
    says: /^device\.toml:2: /,
  },
  {
    rule: "a key twice",
    from: 'id = "pi-01"',
    to: 'fleet = "x"',
    code: "config/malformed",
    says: /^device\.toml:2: /,
  },
  {
    rule: "an unknown key at the top",
    from: "state_dir",
    to: "statedir",
    code: "config/unknown-key",
    says: /^device\.toml:4: unknown key "statedir"; did you mean "state_dir"\?/,
  },
  {
    rule: "an unknown table",
    from: "[trust]",
    to: "[trusted]",
    code: "config/unknown-key",
    says: /unknown key "trusted"; did you mean "trust"\?/,
  },
  {
    rule: "an unknown key of the broker",
    from: "ca_file",
    to: "cafile",
    code: "config/unknown-key",
    says: /^device\.toml:10: unknown key "cafile" in \[broker\]; did you mean "ca_file"\?/,
  },
  {
    rule: "a mistyped required key",
    from: "image_root",
    to: "image_rot",
    code: "config/unknown-key",
    says: /^device\.toml:16: .*did you mean "image_root"/,
  },
  {
    rule: "a fleet that is no name",
    from: '"demo"',
    to: '"de/mo"',
    code: "config/wrong-value",
    says: /^device\.toml:1: "fleet"/,
  },
  {
    rule: "an id with a wildcard",
    from: '"pi-01"\ngroups',
    to: '"pi+"\ngroups',
    code: "config/wrong-value",
    says: /^device\.toml:2: "id"/,
  },
  {
    rule: "an id of the wrong type",
    from: 'id = "pi-01"',
    to: "id = 1",
    code: "config/wrong-value",
    says: /^device\.toml:2: "id" must be a string/,
  },
  {
    rule: "a group that is no name",
    from: '"kitchen"',
    to: '"Kitchen"',
    code: "config/wrong-value",
    says: /^device\.toml:3: "groups" has "Kitchen"/,
  },
  {
    rule: "another protocol",
    from: "mqtts://broker.example",
    to: "https://broker.example",
    code: "config/wrong-value",
    says: /^device\.toml:7: "url" in \[broker\] must be "mqtt:/,
  },
  {
    rule: "no URL",
    from: "mqtts://broker.example",
    to: "broker.example",
    code: "config/wrong-value",
    says: /^device\.toml:7: "url"/,
  },
  {
    rule: "a password in the URL",
    from: "mqtts://broker",
    to: "mqtts://me:secret@broker",
    code: "config/wrong-value",
    says: /^device\.toml:7: .*must not hold credentials/,
  },
  {
    rule: "a path in the URL",
    from: "broker.example",
    to: "broker.example/mqtt",
    code: "config/wrong-value",
    says: /^device\.toml:7: "url"/,
  },
  {
    rule: "port 0",
    from: "broker.example",
    to: "broker.example:0",
    code: "config/wrong-value",
    says: /^device\.toml:7: .*port 0/,
  },
  {
    rule: "a password without a user",
    from: 'username = "pi-01"',
    to: "",
    code: "config/wrong-value",
    says: /^device\.toml:9: "password_file" in \[broker\] needs a username/,
  },
  {
    rule: "a certificate without its key",
    from: 'key_file = "/pki/pi-01.key"',
    to: "",
    code: "config/wrong-value",
    says: /^device\.toml:11: "cert_file" in \[broker\] needs key_file/,
  },
  {
    rule: "a certificate without TLS",
    from: "mqtts://",
    to: "mqtt://",
    code: "config/wrong-value",
    says: /^device\.toml:11: "cert_file" in \[broker\] has no use without mqtts/,
  },
  {
    rule: "a keepalive without unit",
    from: '"30s"',
    to: '"30"',
    code: "config/wrong-value",
    says: /^device\.toml:13: "keepalive" in \[broker\] must be a duration/,
  },
  {
    rule: "a keepalive out of range",
    from: '"30s"',
    to: '"1s"',
    code: "config/wrong-value",
    says: /^device\.toml:13: "keepalive" in \[broker\] must be at least 5s/,
  },
  {
    rule: "an empty root file",
    from: '"image.root.json"',
    to: '""',
    code: "config/wrong-value",
    says: /^device\.toml:16: "image_root" in \[trust\] must name a file/,
  },
  {
    rule: "an unknown driver",
    from: '"simulated"',
    to: '"magic"',
    code: "config/wrong-value",
    says: /^device\.toml:20: sensor\.ambient\.driver: /,
  },
  {
    rule: "an unknown key of a grant",
    from: 'sensor = ["ambient"]',
    to: 'sensr = ["ambient"]',
    code: "config/wrong-value",
    says: /^device\.toml:28: grant\.1\.sensr: /,
  },
  {
    rule: "a grant of what is not there",
    from: '["ambient"]',
    to: '["outside"]',
    code: "config/wrong-value",
    says: /^device\.toml:28: .*no \[sensor\.outside\]/,
  },
];

for (const { rule, from, to, code, says } of WRONG) {
  test(`named with its line: ${rule}`, async (t) => {
    t.true(GOOD.includes(from), "the line to replace is there");
    const error = await t.throwsAsync<AgentError>(parse(GOOD.replace(from, to)), { name: "AgentError" });
    t.is(error.code, code as AgentError["code"]);
    t.regex(error.message, says);
  });
}

test("a host name that is no id, and none written: says so", async (t) => {
  const error = await t.throwsAsync<AgentError>(parse(MINIMAL, "my.host.example"));
  t.is(error.code, "config/wrong-value");
  t.regex(error.message, /"id" is missing, and the host name "my\.host\.example" cannot be one/);
});

test("all mistakes in the policy are named at once, a line each", async (t) => {
  const text = GOOD.replace('"simulated"', '"magic"').replace('"acme/*"', '"acme"');
  const error = await t.throwsAsync<AgentError>(parse(text));
  t.deepEqual(
    error.message.split("\n").map((line) => line.split(" ")[0]),
    ["device.toml:20:", "device.toml:27:"],
  );
});

interface Device {
  readonly configFile: string;
  at(name: string): string;
}

/** A folder with a configuration and all files that it names. */
async function makeDevice(t: ExecutionContext): Promise<Device> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-config-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  await writeFile(at("device.toml"), GOOD.replace("/pki/pi-01.key", "pki/pi-01.key"));
  await mkdir(at("pki"));
  for (const name of ["image.root.json", "director.root.json", "pki/pi-01.pem"]) {
    await writeFile(at(name), "x");
  }
  for (const name of ["password", "pki/pi-01.key"]) await writeFile(at(name), "secret", { mode: 0o600 });
  return { configFile: at("device.toml"), at };
}

async function failure(t: ExecutionContext, { configFile }: Device): Promise<AgentError> {
  return t.throwsAsync<AgentError>(loadConfig(configFile), { name: "AgentError" });
}

test("a configuration whose files are all there loads; its state folder need not exist", async (t) => {
  const { configFile, at } = await makeDevice(t);
  t.is((await loadConfig(configFile)).stateDir, at("state"));
});

test("files that are not there are named with their keys' lines, all at once", async (t) => {
  const device = await makeDevice(t);
  await rm(device.at("password"));
  await rm(device.at("director.root.json"));
  const { code, message } = await failure(t, device);
  t.is(code, "config/file-missing");
  const [first, second, ...others] = message.split("\n");
  t.regex(
    first ?? "",
    /^device\.toml:9: "password_file" in \[broker\] names .*\/password, which does not exist/,
  );
  t.regex(second ?? "", /^device\.toml:17: "director_root" in \[trust\] names /);
  t.deepEqual(others, []);
});

test("a folder in a file's place is named", async (t) => {
  const device = await makeDevice(t);
  await rm(device.at("image.root.json"));
  await mkdir(device.at("image.root.json"));
  const { code, message } = await failure(t, device);
  t.is(code, "config/file-missing");
  t.regex(message, /^device\.toml:16: .*is no file/);
});

test("a secret that everybody can read is refused; a certificate may be read by all", async (t) => {
  const device = await makeDevice(t);
  await chmod(device.at("pki/pi-01.pem"), 0o644);
  await chmod(device.at("password"), 0o644);
  await chmod(device.at("pki/pi-01.key"), 0o604);
  const { code, message } = await failure(t, device);
  t.is(code, "config/file-permission");
  t.deepEqual(
    message.split("\n").map((line) => line.slice(0, line.indexOf(" "))),
    ["device.toml:9:", "device.toml:12:"],
  );
  t.regex(message, /chmod o-rwx/);
});

test("a state folder whose place is taken by a file is named", async (t) => {
  const device = await makeDevice(t);
  await writeFile(device.at("state"), "");
  t.regex((await failure(t, device)).message, /^device\.toml:4: "state_dir" names .*is no folder/);
});

test("a configuration file that is not there, or too large, is named", async (t) => {
  const device = await makeDevice(t);
  await writeFile(device.configFile, `#${" ".repeat(65_536)}`);
  t.like(await failure(t, device), { code: "config/unreadable" });
  await rm(device.configFile);
  const error = await failure(t, device);
  t.is(error.code, "config/unreadable");
  t.true(error.message.includes(device.configFile));
});
