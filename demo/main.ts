/**
 * `npm run demo [-- --json] [-- --broker mqtt://host:port]`: the main job, end to end, with nothing to configure.
 *
 * Exits 0 only if every chapter came out as said, 1 if one did not, 2 on wrong usage.
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { signalExitCode, stopSignal } from "../agent/stop-signal.ts";
import { startEmbeddedBroker } from "./broker.ts";
import { type Display, jsonDisplay, textDisplay } from "./display.ts";
import { Expectations } from "./expectations.ts";
import { Rig } from "./rig.ts";
import { play } from "./scenario.ts";

const USAGE = `usage: npm run demo -- [options]

  --broker URL   use a broker that is running (mqtt://host:port) in place of the demo's own
  --json         one JSON object per transition instead of text
`;
/** How long one step may take before the demo gives up on it. */
const STEP_TIMEOUT_MS = 15_000;
const TRIAL_WINDOW = "2s";

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (typeof options === "number") return options;
  const display = options.json ? jsonDisplay(process.stdout) : textDisplay(process.stdout);
  const broker = options.broker === undefined ? await startEmbeddedBroker() : undefined;
  try {
    return await run(options.broker ?? broker?.url ?? "", display);
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await broker?.close();
  }
}

async function run(brokerUrl: string, display: Display): Promise<number> {
  const expect = new Expectations(STEP_TIMEOUT_MS);
  const creation = Rig.create({
    brokerUrl,
    // A broker may be shared: nothing of another fleet on it is touched.
    fleet: `demo-${randomBytes(4).toString("hex")}`,
    deviceId: "demo-device",
    onEvent: (event) => {
      display.event(event);
      expect.addEvent(event);
    },
    onTelemetry: (topic, payload) => {
      if (expect.isWaitingForTelemetry) display.telemetry(topic, payload);
      expect.addTelemetry(topic, payload);
    },
  });
  endOnInterrupt(creation);
  const rig = await creation;
  try {
    display.chapter("A fleet of one device");
    display.action(`broker ${brokerUrl}, keys and repository in ${rig.repository.folder}`);
    await rig.startAgent();
    display.action(
      'skerry agent --config device.toml: simulated sensor "ambient", virtual serial port "modbus0"',
    );
    const ok = await play({ rig, display, expect, window: TRIAL_WINDOW });
    display.action("SIGTERM to the agent: it stops its modules, then itself");
    const exitCode = await rig.stopAgent();
    const stopped = exitCode === 0;
    if (!ok || !stopped) process.stderr.write(await readFile(rig.agentLog, "utf8"));
    display.end(
      ok && stopped,
      ok && stopped ? "Every step came out as said." : "The demo failed; the agent's log is above.",
    );
    return ok && stopped ? 0 : 1;
  } finally {
    await rig.close();
  }
}

/** Ctrl-C, a closed terminal or a closed pipe leave nothing behind: no process, no folder, no retained message. */
function endOnInterrupt(creation: Promise<Rig>): void {
  const end = async (exitCode: number): Promise<void> => {
    // What fails here is told by whoever waits for it in `run`.
    await creation.then((rig) => rig.close()).catch(() => undefined);
    process.exit(exitCode);
  };
  void stopSignal(["SIGINT", "SIGTERM", "SIGHUP"]).then((signal) => end(signalExitCode(signal)));
  process.stdout.once("error", () => end(signalExitCode("SIGPIPE")));
  // Further lines for nobody, while that ends.
  process.stdout.on("error", () => undefined);
}

function readOptions(argv: readonly string[]): { json: boolean; broker: string | undefined } | number {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        json: { type: "boolean", default: false },
        broker: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    if (values.broker !== undefined && !/^mqtt:\/\/[^/]+$/.test(values.broker)) {
      process.stderr.write(`error: --broker takes mqtt://host:port, not "${values.broker}"\n\n${USAGE}`);
      return 2;
    }
    return { json: values.json, broker: values.broker };
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
}
