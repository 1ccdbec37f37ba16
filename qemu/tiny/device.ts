/** Skerry on a tiny machine: its configuration, how it comes into the machine, and what the machine says of it. */
import { setTimeout as delay } from "node:timers/promises";
import type { Rig } from "../../demo/rig.ts";
import type { Machine } from "../machine.ts";
import { kibibytes } from "./resting.ts";

const CONFIG = "/etc/skerry";
const LOG = "/var/log/skerry.log";
/** For some commands on a busy emulated processor, in milliseconds. */
const DIAGNOSIS_TIMEOUT_MS = 120_000;
/** The host, as a machine on QEMU's user network sees it. */
const HOST = "10.0.2.2";

/** What a device's configuration differs in from one machine to the next. */
export interface TinyDeviceOptions {
  readonly fleet: string;
  readonly deviceId: string;
  /** The broker on this host, as the operator reaches it: `mqtt://127.0.0.1:port`. */
  readonly brokerUrl: string;
}

/** Its device.toml; the roots come into the machine beside it. */
export function tinyToml({ fleet, deviceId, brokerUrl }: TinyDeviceOptions): string {
  return `fleet = "${fleet}"
id = "${deviceId}"
groups = ["default"]
state_dir = "/var/lib/skerry"

[broker]
url = "mqtt://${HOST}:${new URL(brokerUrl).port}"

[trust]
image_root = "image.root.json"
director_root = "director.root.json"

[sensor.ambient]
driver = "hwmon"
chip = "tmp105"
channel = "temp1"

[serial.modbus0]
driver = "port"
path = "/dev/ttymxc1"
baud = 9600

[[grant]]
module = "acme/*"
sensor = ["ambient"]
publish = ["telemetry/#"]
memory = "4MiB"

[[grant]]
module = "acme/heater"
subscribe = ["message/setpoint", "telemetry/acme.thermo/temperature"]

[[grant]]
module = "acme/modbus"
serial = ["modbus0"]
publish = ["telemetry/#"]
memory = "8MiB"
code = "2MiB"
`;
}

/** Enrols a booted machine in the rig's fleet: its init starts the agent as soon as the configuration is there. */
export async function enrol(machine: Machine, rig: Rig): Promise<void> {
  const { shell } = machine;
  const { roots } = rig;
  await shell.copy(roots.image, `${CONFIG}/image.root.json`);
  await shell.copy(roots.director, `${CONFIG}/director.root.json`);
  await shell.copy(rig.deviceToml, `${CONFIG}/device.toml`);
  await shell.check("sync");
}

/** The end of the agent's log. */
export async function agentLog(machine: Machine, lines = 40): Promise<string> {
  return machine.shell.check(`tail -n ${lines} ${LOG}`);
}

/** What there is to see when something that should have happened did not: processes, memory, network, the ends of the logs. */
export async function diagnosis(machine: Machine): Promise<string> {
  const commands = ["ps", "free", "ip address show eth0", "dmesg | tail -n 10", `tail -n 40 ${LOG}`];
  const answers = commands.map((command) => `echo "# ${command}"; ${command}`).join("; ");
  const silence = delay(
    DIAGNOSIS_TIMEOUT_MS,
    `no answer from the machine's shell in ${DIAGNOSIS_TIMEOUT_MS} ms`,
    {
      ref: false,
    },
  );
  // A machine that is gone or hangs must not take the place of what is to be explained.
  const output = machine.shell.run(answers).then((result) => result.output, String);
  return Promise.race([output, silence]);
}

/** What the machine has and what the agent takes of it, in KiB. */
export interface TinyMemory {
  readonly available: number;
  readonly pss: number;
  readonly anonymous: number;
  readonly swapped: number;
}

/** Reads it from /proc. */
export async function readMemory(machine: Machine): Promise<TinyMemory> {
  const text = await machine.shell.check(
    `cat /proc/meminfo /proc/$(pidof node | cut -d ' ' -f 1)/smaps_rollup | grep -E '^(MemAvailable|Pss|Anonymous|SwapPss):'`,
  );
  return {
    available: kibibytes(text, "MemAvailable"),
    pss: kibibytes(text, "Pss"),
    anonymous: kibibytes(text, "Anonymous"),
    swapped: kibibytes(text, "SwapPss"),
  };
}
