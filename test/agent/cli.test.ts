import { fstatSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type AgentCommandParts, type AgentHooks, runAgentCommand } from "../../agent/cli.ts";
import { createLog, leadsToJournal } from "../../agent/log.ts";
import { repositorySigners, rootFile } from "../support/signed-repository.ts";

const CONFIG = `fleet = "demo"
id = "pi-01"
state_dir = "state"
[broker]
url = "mqtt://127.0.0.1"
[trust]
image_root = "image.json"
director_root = "director.json"
`;

async function makeConfig(t: ExecutionContext, text = CONFIG): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-cli-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const name of ["image.json", "director.json"]) await writeFile(join(folder, name), "{}");
  await writeFile(join(folder, "device.toml"), text);
  return join(folder, "device.toml");
}

class Output {
  text = "";
  write(text: string): void {
    this.text += text;
  }
}

/** Runs the command to its end; `run` is what happens between the agent's start and the signal. */
async function command(
  argv: readonly string[],
  run: (hooks: AgentHooks) => void = () => undefined,
  stop: () => Promise<void> = async () => undefined,
  isJournal = false,
): Promise<{ code: number; stdout: string; stderr: string; steps: readonly string[] }> {
  const [stdout, stderr] = [new Output(), new Output()];
  const steps: string[] = [];
  const signal = Promise.withResolvers<string>();
  const parts: AgentCommandParts = {
    start: async (config, hooks) => {
      steps.push(`start ${config.deviceId}`);
      run(hooks);
      signal.resolve("SIGTERM");
      return {
        condition: () => ({ summary: "well", stuck: undefined }),
        stop: async () => {
          steps.push("stop");
          await stop();
        },
      };
    },
    stopSignal: () => signal.promise,
    leadsToJournal: () => isJournal,
    openServiceManager: async () => ({
      ready: (condition) => steps.push(`ready: ${condition().summary}`),
      conditionChanged: () => undefined,
      stopping: () => steps.push("stopping"),
    }),
  };
  const code = await runAgentCommand(argv, { stdout, stderr }, parts);
  return { code, stdout: stdout.text, stderr: stderr.text, steps };
}

test("runs until the signal, stops the agent, exits 0", async (t) => {
  const { code, stderr, steps } = await command(["--config", await makeConfig(t)]);
  t.is(code, 0);
  t.deepEqual(steps, ["start pi-01", "ready: well", "stopping", "stop"]);
  t.regex(stderr, /stopping: SIGTERM\n.*stopped\n$/);
});

test("--check reads the configuration and starts nothing", async (t) => {
  const config = await makeConfig(t);
  for (const repository of ["image", "director"] as const) {
    const root = await rootFile(await repositorySigners(repository));
    await writeFile(join(dirname(config), `${repository}.json`), root);
  }
  const { code, stdout, steps } = await command(["--check", "--config", config]);
  t.is(code, 0);
  t.deepEqual(steps, []);
  t.regex(stdout, /device\.toml: ok \(device pi-01 of fleet demo\)/);
});

test("--check: a root that is none is named, exit 1", async (t) => {
  const { code, stderr } = await command(["--check", "--config", await makeConfig(t)]);
  t.is(code, 1);
  t.regex(stderr, /image\.json is no root to trust .*copy 1\.root\.json .*\(trust\/malformed\)/);
});

test("a mistake in the configuration: its line, exit 2, nothing started", async (t) => {
  const config = await makeConfig(t, CONFIG.replace("image_root", "image_rooot"));
  const { code, stderr, steps } = await command(["--config", config]);
  t.is(code, 2);
  t.deepEqual(steps, []);
  t.regex(stderr, /^device\.toml:7: unknown key "image_rooot"/);
});

test("wrong usage: the option is named, the usage shown, exit 2", async (t) => {
  const { code, stderr } = await command(["--confg", "x"]);
  t.is(code, 2);
  t.regex(stderr, /^error: .*--confg/);
  t.regex(stderr, /usage: skerry agent/);
});

test("--help prints the usage, exit 0", async (t) => {
  const { code, stdout } = await command(["--help"]);
  t.is(code, 0);
  t.regex(stdout, /^usage: skerry agent/);
});

test("an agent that cannot start or stop: exit 1 and why", async (t) => {
  const config = await makeConfig(t);
  const failing = (): never => {
    throw Object.assign(new Error("both generations are corrupt"), { code: "store/corrupt" });
  };
  const start = await command(["--config", config], failing);
  t.is(start.code, 1);
  t.is(start.stderr, "error: both generations are corrupt (store/corrupt)\n");
  const stop = await command(["--config", config], undefined, async () => failing());
  t.is(stop.code, 1);
  t.regex(stop.stderr, /both generations are corrupt/);
});

test("to journald a line begins with its priority, and has no time of its own", async (t) => {
  const happens = ({ onEvent }: AgentHooks): void => {
    onEvent({ ...SENT, event: "committed", module: "acme/thermo", version: "1.0.0" });
    onEvent({
      ...SENT,
      event: "refused",
      module: null,
      version: null,
      code: "trust/expired",
      message: "old",
    });
  };
  const config = await makeConfig(t);
  const { stderr } = await command(["--config", config], happens, undefined, true);
  const [committed, refused] = stderr.split("\n");
  t.is(committed, "<6>acme/thermo@1.0.0 committed");
  t.is(refused, "<4>refused: old event=refused code=trust/expired");

  const mistaken = await makeConfig(t, `${CONFIG}[brokr]\n[trst]\n`);
  const failed = await command(["--config", mistaken], undefined, undefined, true);
  t.deepEqual(
    failed.stderr
      .trimEnd()
      .split("\n")
      .map((line) => line.slice(0, "<3>device.toml:9".length)),
    ["<3>device.toml:9", "<3>device.toml:1"],
  );
});

test("a file leads to journald if systemd says that it is the stream to it", (t) => {
  const { dev, ino } = fstatSync(2);
  t.true(leadsToJournal(2, { JOURNAL_STREAM: `${dev}:${ino}` }));
  t.false(leadsToJournal(2, { JOURNAL_STREAM: `${dev}:${ino}1` }));
  t.false(leadsToJournal(2, {}));
});

const SENT = { time: "2026-11-20T11:00:00.000Z", device: "pi-01" };

test("an event is a line for people: subject, event, message, code", async (t) => {
  const { stderr } = await command(["--config", await makeConfig(t)], ({ onEvent }) => {
    onEvent({
      ...SENT,
      event: "rolled-back",
      module: "acme/thermo",
      version: "1.2.0",
      code: "trial/trap",
      message: "unreachable",
    });
  });
  t.regex(stderr, /warning acme\/thermo@1\.2\.0 rolled-back: unreachable code=trial\/trap\n/);
});

test("--json: one object per line, failures too", async (t) => {
  const { stderr } = await command(["--json", "--config", await makeConfig(t)], ({ onEvent }) => {
    onEvent({ ...SENT, event: "committed", module: "acme/thermo", version: "1.0.0" });
  });
  const lines: unknown[] = stderr
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.like(lines[0], { level: "info", event: "committed", module: "acme/thermo", version: "1.0.0" });
  t.is(lines.length, 3);

  const failed = await command(["--json", "--config", "/nowhere/device.toml"]);
  t.is(failed.code, 2);
  t.like(JSON.parse(failed.stderr), { level: "error", code: "config/unreadable" });
});

test("a line stays one line: what modules and brokers put into it cannot break or colour it", (t) => {
  const output = new Output();
  const log = createLog(output, { json: false, journal: false }, () => new Date(0));
  log("info", "text\nwith \u001b[31mcolour\u009b", { module: "a\rb", absent: undefined });
  t.is(output.text, "1970-01-01T00:00:00.000Z info    text\\nwith \\u001b[31mcolour\\u009b module=a\\rb\n");
});
