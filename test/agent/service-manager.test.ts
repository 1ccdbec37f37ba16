/** What systemd is told: by the real systemd-notify, to a socket that is read as systemd reads its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { type ExecutionContext } from "ava";
import {
  type AgentCondition,
  openServiceManager,
  type ServiceManager,
  watchdogIntervalMs,
} from "../../agent/service-manager.ts";
import { temporaryFolder } from "../support/folders.ts";

const missing = ["systemd-notify", "python3"].filter((tool) => spawnSync(tool, ["--version"]).status !== 0);
if (missing.length > 0)
  console.log(`${missing.join(" and ")}: not there, the tests of messages to systemd are left out.`);
const withSystemd = missing.length === 0 ? test : test.skip;

/** Node has no datagrams on Unix sockets. A descriptor that comes along is closed, which tells the sender that its message was read. */
const RECEIVER = `
import json, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print('"bound"', flush=True)
while True:
    print(json.dumps(receiver.recv(4096).decode()), flush=True)
`;

class Systemd {
  readonly socket: string;
  readonly #receiver: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(socket: string) {
    this.socket = socket;
    const receiver = spawn("python3", ["-c", RECEIVER, socket], { stdio: ["ignore", "pipe", "inherit"] });
    this.#receiver = receiver;
    this.#lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
  }

  /** Reads messages up to one that sets all these variables; gives what all of them said. */
  async until(...variables: readonly string[]): Promise<readonly string[]> {
    const seen: string[] = [];
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error("the receiver ended");
      const message = String(JSON.parse(value)).split("\n");
      seen.push(...message);
      if (variables.every((variable) => message.includes(variable))) return seen;
    }
  }

  async close(): Promise<void> {
    this.#receiver.kill();
    await once(this.#receiver, "close");
  }
}

async function startedBySystemd(
  t: ExecutionContext,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ systemd: Systemd; manager: ServiceManager; log: string[] }> {
  const systemd = new Systemd(join(await temporaryFolder(t), "notify"));
  t.teardown(() => systemd.close());
  await systemd.until("bound");
  const log: string[] = [];
  const manager = openServiceManager((_level, text) => log.push(text), {
    PATH: process.env["PATH"],
    NOTIFY_SOCKET: systemd.socket,
    ...environment,
  });
  return { systemd, manager, log };
}

withSystemd("systemd is told that the agent is ready, how it is, and that it stops", async (t) => {
  const { systemd, manager, log } = await startedBySystemd(t);
  let summary = "not connected";
  manager.ready(() => ({ summary, stuck: undefined }));
  await systemd.until("READY=1", "STATUS=not connected");

  summary = "connected";
  for (let change = 0; change < 10; change += 1) manager.conditionChanged();
  await systemd.until("STATUS=connected");

  manager.conditionChanged();
  manager.stopping();
  const rest = await systemd.until("STOPPING=1");
  t.false(rest.includes("STATUS=connected"));
  t.deepEqual(log, []);
});

withSystemd("the watchdog is fed while nothing of the supervisor hangs, and only then", async (t) => {
  const { systemd, manager, log } = await startedBySystemd(t, { WATCHDOG_USEC: "100000" });
  let condition: AgentCondition = { summary: "well", stuck: undefined };
  const looked = Promise.withResolvers<void>();
  let looks = 0;
  manager.ready(() => {
    if (condition.stuck !== undefined && ++looks === 4) looked.resolve();
    return condition;
  });
  await systemd.until("WATCHDOG=1");
  await systemd.until("WATCHDOG=1");

  condition = { summary: "well", stuck: "stopping acme/thermo has taken longer than 5m" };
  await looked.promise;
  t.deepEqual(log, [
    "stopping acme/thermo has taken longer than 5m: the watchdog is left to start the agent anew",
  ]);

  // What was fed before it hung has arrived by the time that this has.
  condition = { ...condition, summary: "hangs" };
  manager.conditionChanged();
  await systemd.until("STATUS=hangs");
  condition = { ...condition, summary: "hangs still" };
  manager.conditionChanged();
  t.false((await systemd.until("STATUS=hangs still")).includes("WATCHDOG=1"));

  condition = { ...condition, stuck: undefined };
  await systemd.until("WATCHDOG=1");
  manager.stopping();
  await systemd.until("STOPPING=1");
});

test("the watchdog's interval is half of systemd's, and only the process that it is meant for feeds it", (t) => {
  t.is(watchdogIntervalMs({ WATCHDOG_USEC: "120000000" }), 60_000);
  t.is(watchdogIntervalMs({ WATCHDOG_USEC: "120000000", WATCHDOG_PID: String(process.pid) }), 60_000);
  t.is(watchdogIntervalMs({ WATCHDOG_USEC: "120000000", WATCHDOG_PID: "1" }), undefined);
  t.is(watchdogIntervalMs({}), undefined);
  for (const wrong of ["", "0", "-1", "1e9", "infinity"])
    t.is(watchdogIntervalMs({ WATCHDOG_USEC: wrong }), undefined);
});

test("without systemd nobody is told, and without systemd-notify the log says so once", async (t) => {
  const log: string[] = [];
  const logged = Promise.withResolvers<void>();
  const note = (_level: unknown, text: string): void => {
    log.push(text);
    logged.resolve();
  };
  const condition = (): AgentCondition => ({ summary: "well", stuck: undefined });
  openServiceManager(note, {}).ready(condition);
  const manager = openServiceManager(note, { NOTIFY_SOCKET: "/nowhere", PATH: "/nowhere" });
  manager.ready(condition);
  await logged.promise;
  manager.stopping();
  await new Promise(setImmediate);
  t.is(log.length, 1);
  t.regex(log[0] ?? "", /^systemd-notify cannot tell systemd how the agent is: /);
});
