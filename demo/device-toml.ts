/** The configuration of the device in a `Rig`: a simulated sensor, a virtual serial port, and what modules get of them. */
import type { RigOptions } from "./rig.ts";

/** Paths of the metadata that a device's trust starts with. */
export interface DeviceRoots {
  readonly image: string;
  readonly director: string;
}

/** The text of its device.toml. */
export function deviceToml(options: RigOptions, roots: DeviceRoots): string {
  return `fleet = "${options.fleet}"
id = "${options.deviceId}"
groups = ["default"]
state_dir = "${options.stateDir ?? "state"}"

[broker]
url = "${options.brokerUrl}"
${options.deviceBroker ?? ""}

[trust]
image_root = "${roots.image}"
director_root = "${roots.director}"

[sensor.ambient]
driver = "simulated"
start = 21.5
amplitude = 2.0
period = "1m"
unit = "Cel"

[serial.modbus0]
driver = "virtual"
link = "modbus0"

[[grant]]
module = "acme/*"
sensor = ["ambient"]
publish = ["telemetry/#"]
subscribe = ["message/#", "telemetry/#"]
memory = "4MiB"
storage = "256KiB"

[[grant]]
module = "acme/modbus"
serial = ["modbus0"]
publish = ["telemetry/#"]
memory = "8MiB"
code = "2MiB"
`;
}
