/** `skerry keys init` */

import type { CommandCall, FleetCommand } from "./command-line.ts";
import { FleetError } from "./errors.ts";
import { initRepository } from "./init.ts";
import { REPOSITORY_NAMES } from "./repository.ts";

export const keysCommand: FleetCommand = {
  usage: `usage: skerry keys init [DIR] [--fleet NAME] [--broker URL]

Creates the repository folder of a fleet (default: the current folder) with its keys. Nothing is
ever overwritten.

  --fleet NAME           name of the fleet; default demo
  --broker URL           default mqtt://127.0.0.1:1883
`,
  options: { fleet: { type: "string" }, broker: { type: "string" } },
  positionals: ["init"],
  optionalPositionals: 1,
  run: runKeys,
};

async function runKeys(call: CommandCall): Promise<number> {
  const [verb, folder = "."] = call.positionals;
  if (verb !== "init")
    throw new FleetError("fleet/usage", `there is no "skerry keys ${verb}", only "skerry keys init"`);
  const fleet = call.text("fleet");
  const brokerUrl = call.text("broker");
  const { repository, roots, offlineKeyFiles } = await initRepository({
    folder,
    ...(fleet === undefined ? {} : { fleet }),
    ...(brokerUrl === undefined ? {} : { brokerUrl }),
  });
  const lines = [
    `Created ${repository.folder} for fleet "${repository.settings.fleet}" (broker ${repository.settings.broker.url}).`,
    "",
    "Copy to every device, as [trust] image_root and director_root:",
    ...REPOSITORY_NAMES.map((name) => `  ${roots[name]}`),
    "",
    "Keep offline, with a copy in another place (who has them decides what your devices run):",
    ...offlineKeyFiles.map((path) => `  ${path}`),
    "",
    "Next: skerry publish <component.wasm> --manifest module.toml",
  ];
  call.io.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}
