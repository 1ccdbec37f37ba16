/** `skerry publish` */

import {
  BROKER_OPTIONS,
  BROKER_USAGE,
  type CommandCall,
  count,
  type FleetCommand,
  KEY_OPTIONS,
  KEY_USAGE,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import { FleetError } from "./errors.ts";
import { type FetchSize, measureFetch } from "./fetch-size.ts";
import { type PublishResult, publishRelease } from "./publish.ts";
import { sendChange } from "./synchronize.ts";

export const publishCommand: FleetCommand = {
  usage: `usage: skerry publish COMPONENT --manifest module.toml [options]

Adds a release to the repository, signs it and makes the broker hold it. Who runs it is for \`skerry assign\` to say.

  --manifest FILE        name, version and requests of the module
  --role NAME            the role that lists it; default the one that its module is delegated to
  --no-sync              change the folder only
${REPOSITORY_USAGE}${KEY_USAGE}${BROKER_USAGE}`,
  options: {
    manifest: { type: "string" },
    role: { type: "string" },
    "no-sync": { type: "boolean" },
    ...REPOSITORY_OPTIONS,
    ...KEY_OPTIONS,
    ...BROKER_OPTIONS,
  },
  positionals: ["the component's file"],
  run: runPublish,
};

async function runPublish(call: CommandCall): Promise<number> {
  const [componentPath = ""] = call.positionals;
  const manifestPath = call.text("manifest");
  if (manifestPath === undefined) throw new FleetError("fleet/usage", "--manifest module.toml is missing");
  const repository = await repositoryOf(call);
  const role = call.text("role");
  const release = await publishRelease(repository, {
    componentPath,
    manifestPath,
    ...(role === undefined ? {} : { role }),
  });
  const { module, version } = release;
  const size = `${count(release.componentBytes, "byte")} in ${count(release.chunks, "chunk")}`;
  call.io.stdout.write(
    release.isNew
      ? `${module}@${version}: release ${release.release}, ${size}\n`
      : `${module}@${version} was published already, with the same bytes: release ${release.release}, ${size}\n`,
  );
  call.io.stdout.write(fetchLine(await measureFetch(repository, module, version), release));
  if (!release.isComplete) {
    call.io.stdout.write(
      "Signed. The keys of snapshot and timestamp are elsewhere: `skerry refresh` there, with this folder's files, completes it\n",
    );
    return 0;
  }
  if (call.flag("no-sync")) return 0;
  // Only what this release is about: a build machine's user need not be allowed to write the director's
  // topics.
  await sendChange(call, repository, { repositories: ["image"], release: { module, version } });
  return 0;
}

/** What it costs the devices, for a person to decide by. */
function fetchLine({ wholeBytes, fromPrevious }: FetchSize, { componentBytes }: PublishResult): string {
  const percent = (bytes: number): string => `${((100 * bytes) / componentBytes).toFixed(1)} % of its size`;
  const whole = `a device fetches ${count(wholeBytes, "byte")} (${percent(wholeBytes)})`;
  if (fromPrevious === undefined) return `  ${whole}\n`;
  const { version, bytes } = fromPrevious;
  return `  ${whole}, one that has ${version} ${count(bytes, "byte")} (${percent(bytes)})\n`;
}
