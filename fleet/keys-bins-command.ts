/** `skerry keys bins` */

import {
  type CommandCall,
  count as countOf,
  type FleetCommand,
  KEY_OPTIONS,
  KEY_USAGE,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import { spreadOverBins } from "./delegate.ts";
import { FleetError } from "./errors.ts";

export const keysBinsCommand: FleetCommand = {
  usage: `usage: skerry keys bins COUNT [options]

Spreads the releases over COUNT files (2 to 128, a power of two) by a hash of their paths, for when they outgrow one message of
64 KiB. They stay under the keys of the image targets; devices fetch the files that their own modules lie in. Run again
with more when one bin gets full.

${REPOSITORY_USAGE}${KEY_USAGE}`,
  options: { ...REPOSITORY_OPTIONS, ...KEY_OPTIONS },
  positionals: ["the number of bins"],
  run: runBins,
};

async function runBins(call: CommandCall): Promise<number> {
  const [text = ""] = call.positionals;
  if (!/^[0-9]{1,4}$/.test(text)) throw new FleetError("fleet/usage", `"${text}" is no number of bins`);
  const { largestBytes } = await spreadOverBins(await repositoryOf(call), Number(text));
  call.io.stdout.write(
    `The releases lie in ${text} bins, the largest of ${countOf(largestBytes, "byte")}. Next: skerry sync\n`,
  );
  return 0;
}
