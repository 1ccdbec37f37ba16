/** Trees made from Debian's packages by mmdebstrap, of any architecture, without running anything of them. */
import { run } from "./run.ts";

export interface PackageTree {
  readonly suite: "trixie" | "forky";
  readonly architecture: "amd64" | "armhf" | "arm64" | "all";
  readonly packages: readonly string[];
}

/** What mmdebstrap is asked for, without where it shall put it. */
export function extractCommand({ suite, architecture, packages }: PackageTree): readonly string[] {
  return [
    "mmdebstrap",
    // Unpacks the packages and what they depend on; none of their scripts runs, so no emulation is needed for foreign ones.
    "--variant=extract",
    ...(architecture === "all" ? [] : [`--architectures=${architecture}`]),
    // The testing suite's index is sometimes mirrored past its date; its signature holds all the same.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    `--include=${packages.join(",")}`,
    suite,
  ];
}

export async function extractPackages(tree: PackageTree, folder: string, logFile: string): Promise<void> {
  await run([...extractCommand(tree), folder], { logFile });
}
