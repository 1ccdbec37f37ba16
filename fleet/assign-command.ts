/** `skerry assign` */

import { type AssignResult, type Audience, assignRelease, parseReleaseName, unpinDevice } from "./assign.ts";
import type { BrokerAddress } from "./broker.ts";
import {
  BROKER_OPTIONS,
  BROKER_USAGE,
  type CommandCall,
  type FleetCommand,
  KEY_OPTIONS,
  KEY_USAGE,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import { FleetError } from "./errors.ts";
import type { Repository } from "./repository.ts";
import { sendChange } from "./synchronize.ts";
import { unknownDeviceNote } from "./unknown-device.ts";

export const assignCommand: FleetCommand = {
  usage: `usage: skerry assign MODULE@VERSION [--group NAME] [--percent N] [options]
       skerry assign MODULE@VERSION --device ID [options]
       skerry assign MODULE --device ID --unpin [options]

Chooses who runs a release: a share of a group, or one device. Raising the percent of the same release only
adds devices.

  --group NAME           default "default"
  --percent N            share of the group's devices, 0 to 100 (5 or 5%); default 100
  --device ID            pin one device, seen already or not; a pin goes before any group
  --unpin                drop the device's pin, so that it follows its groups again
  --no-sync              change the folder only
${REPOSITORY_USAGE}${KEY_USAGE}${BROKER_USAGE}`,
  options: {
    group: { type: "string" },
    percent: { type: "string" },
    device: { type: "string" },
    unpin: { type: "boolean" },
    "no-sync": { type: "boolean" },
    ...REPOSITORY_OPTIONS,
    ...KEY_OPTIONS,
    ...BROKER_OPTIONS,
  },
  positionals: ["the release (MODULE@VERSION)"],
  run: runAssign,
};

async function runAssign(call: CommandCall): Promise<number> {
  const [name = ""] = call.positionals;
  if (call.flag("unpin")) {
    await send(call, await runUnpin(call, name));
    return 0;
  }
  const { repository, result } = await runAssignment(call, name);
  const address = await send(call, repository);
  const { module, assignment, pinnedUntilNow } = result;
  if (assignment.kind === "pin") {
    const { device } = assignment;
    const note = await unknownDeviceNote(repository, { module, device, pinnedUntilNow, address });
    if (note !== undefined) call.io.stdout.write(`${note}\n`);
  }
  return 0;
}

async function send(call: CommandCall, repository: Repository): Promise<BrokerAddress | undefined> {
  return call.flag("no-sync") ? undefined : sendChange(call, repository, { repositories: ["director"] });
}

async function runAssignment(
  call: CommandCall,
  name: string,
): Promise<{ readonly repository: Repository; readonly result: AssignResult }> {
  const { module, version } = parseReleaseName(name);
  const audience = audienceOf(call);
  const repository = await repositoryOf(call);
  const result = await assignRelease(repository, { module, version, audience });
  const { assignment, olderThan, groupsUntilNow } = result;
  const who =
    assignment.kind === "pin"
      ? `device ${assignment.device}`
      : `${assignment.percent} % of group ${assignment.group}`;
  call.io.stdout.write(`${module}@${version}: assigned to ${who}\n`);
  if (olderThan !== undefined) {
    call.io.stdout.write(
      `note: ${olderThan}, a newer release, was assigned before: devices that have committed it refuse ${version}. To take them back to its code, publish that under a new version\n`,
    );
  }
  if (groupsUntilNow.length > 0 && assignment.kind === "group") {
    call.io.stdout.write(
      `note: nothing was assigned to group ${assignment.group} before (groups until now: ${groupsUntilNow.join(", ")}). Is it what the devices' device.toml says?\n`,
    );
  }
  return { repository, result };
}

async function runUnpin(call: CommandCall, module: string): Promise<Repository> {
  const audience = audienceOf(call);
  if (audience.kind !== "device") throw new FleetError("fleet/usage", "--unpin needs --device ID");
  const repository = await repositoryOf(call);
  await unpinDevice(repository, { module, device: audience.device });
  call.io.stdout.write(`${module}: ${audience.device} follows its groups again\n`);
  return repository;
}

function audienceOf(call: CommandCall): Audience {
  const device = call.text("device");
  const group = call.text("group");
  const percent = call.text("percent");
  if (device === undefined) {
    if (percent !== undefined && !/^[0-9]{1,3} ?%?$/.test(percent)) {
      throw new FleetError("fleet/usage", `--percent ${percent}: a whole number from 0 to 100 is expected`);
    }
    return { kind: "group", group: group ?? "default", percent: Number.parseInt(percent ?? "100", 10) };
  }
  if (group !== undefined || percent !== undefined) {
    throw new FleetError("fleet/usage", "--device goes without --group and --percent");
  }
  return { kind: "device", device };
}
