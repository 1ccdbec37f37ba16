/** `skerry devices` */

import {
  BROKER_OPTIONS,
  BROKER_USAGE,
  brokerAddressOf,
  type CommandCall,
  type FleetCommand,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import type { ModuleState } from "./device-messages.ts";
import { type DeviceRow, readDevices } from "./devices.ts";
import { formatTable } from "./table.ts";

export const devicesCommand: FleetCommand = {
  usage: `usage: skerry devices [--json] [options]

Lists the devices, whether they are online, and what each runs.

  --json                 an array of devices instead of the table
${REPOSITORY_USAGE}${BROKER_USAGE}`,
  options: { json: { type: "boolean" }, ...REPOSITORY_OPTIONS, ...BROKER_OPTIONS },
  positionals: [],
  run: runDevices,
};

const HEADER = ["DEVICE", "STATUS", "AGENT", "MODULE", "RUNNING", "DESIRED", "PHASE", "FAILED"];
const NOTHING = "-";

async function runDevices(call: CommandCall): Promise<number> {
  const repository = await repositoryOf(call);
  const devices = await readDevices(repository, await brokerAddressOf(call, repository));
  if (call.flag("json")) {
    call.io.stdout.write(`${JSON.stringify(devices.map(deviceJson), null, 2)}\n`);
  } else if (devices.length === 0) {
    call.io.stdout.write(`No device of fleet "${repository.settings.fleet}" has reported yet.\n`);
  } else {
    call.io.stdout.write(formatTable(HEADER, devices.flatMap(deviceRows)));
  }
  return 0;
}

/**
 * A line per module; what belongs to the device stands in each, so that the lines can be sorted and searched.
 */
function deviceRows({ device, status, modules }: DeviceRow): readonly (readonly string[])[] {
  const own = [device, status?.status ?? "unknown", status?.agent ?? NOTHING];
  if (modules.length === 0) return [[...own, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING]];
  return modules.map((module) => [...own, ...moduleCells(module)]);
}

function moduleCells({ module, running, desired, phase, failed }: ModuleState): readonly string[] {
  const failure = failed === null ? NOTHING : `${failed.version ?? "?"} ${failed.code ?? ""}`.trimEnd();
  return [module, running ?? NOTHING, desired ?? NOTHING, phase ?? NOTHING, failure];
}

function deviceJson({ device, status, modules }: DeviceRow): object {
  const unknown = { status: null, time: null, agent: null, bootId: null, groups: [] };
  return { device, ...(status ?? unknown), modules };
}
