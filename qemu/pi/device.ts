/** Skerry on a pi machine: its package, its configuration, and how they come into the machine. */
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Rig } from "../../demo/rig.ts";
import { buildDebianPackage } from "../../packaging/debian.ts";
import { layOutWithDocuments } from "../../packaging/layout.ts";
import type { Machine } from "../machine.ts";
import { sharedFolder } from "./machine.ts";

const CONFIG = "/etc/skerry";
/** The host's folder, as a machine sees it. */
const SHARED = "/mnt";
/** The host, as a machine on QEMU's user network sees it. */
const HOST = "10.0.2.2";
/** A day for the package's files to carry, in seconds since 1970. */
const EPOCH_SECONDS = 1_790_000_000;

/** What a device's configuration differs in from one machine to the next. */
export interface PiDeviceOptions {
  readonly fleet: string;
  readonly deviceId: string;
  /** The broker on this host, as the operator reaches it: `mqtt://127.0.0.1:port`. */
  readonly brokerUrl: string;
}

/** Its device.toml; the roots lie beside it. */
export function piToml({ fleet, deviceId, brokerUrl }: PiDeviceOptions): string {
  return `fleet = "${fleet}"
id = "${deviceId}"
groups = ["default"]

[broker]
url = "mqtt://${HOST}:${new URL(brokerUrl).port}"

[trust]
image_root = "image.root.json"
director_root = "director.root.json"

[sensor.ambient]
driver = "simulated"
start = 21.5

[serial.modbus0]
path = "/dev/ttyUSB0"
baud = 9600

[[grant]]
module = "acme/thermo"
sensor = ["ambient"]
publish = ["telemetry/#"]
memory = "256MiB"

[[grant]]
module = "acme/modbus"
serial = ["modbus0"]
publish = ["telemetry/#"]
memory = "8MiB"
code = "2MiB"
`;
}

/** Builds Skerry's package of a version where the machine finds it; gives its path in the machine. */
export async function bringPackage(machineFolder: string, version: string): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), "skerry-package-"));
  try {
    await layOutWithDocuments(tree, "arm64", EPOCH_SECONDS);
    const content = { tree, architecture: "arm64", version, epochSeconds: EPOCH_SECONDS } as const;
    const { path } = await buildDebianPackage(content, sharedFolder(machineFolder));
    return `${SHARED}/${basename(path)}`;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** Enrols a machine in the rig's fleet, as docs/INSTALL.md says; the service is not started. */
export async function enrol(machine: Machine, rig: Rig): Promise<void> {
  const files = {
    "image.root.json": rig.roots.image,
    "director.root.json": rig.roots.director,
    "device.toml": rig.deviceToml,
  };
  for (const [name, path] of Object.entries(files)) {
    await copyFile(path, join(sharedFolder(machine.folder), name));
    await machine.shell.check(`cp ${SHARED}/${name} ${CONFIG}/${name}`);
  }
  await machine.shell.check("skerry agent --check");
}
