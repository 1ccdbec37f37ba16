/** Trees made from Debian's packages by mmdebstrap, of any architecture, without running anything of them. */
import { run } from "./run.ts";

export interface PackageTree {
  readonly suite: "trixie" | "forky";
  readonly architecture: "amd64" | "armhf" | "arm64" | "all";
  readonly packages: readonly string[];
  /** Names (with * for any) of packages that come from a later suite instead. */
  readonly later?: { readonly suite: "forky"; readonly packages: readonly string[] };
  /** The packages themselves stay, in /var/cache/apt/archives, for dpkg to install. */
  readonly keepsArchives?: boolean;
}

/** What mmdebstrap is asked for, without where it shall put it. */
export function extractCommand(tree: PackageTree): readonly string[] {
  const { suite, architecture, packages, later } = tree;
  return [
    "mmdebstrap",
    // Unpacks the packages and what they depend on; none of their scripts runs, so no emulation is needed for foreign ones.
    "--variant=extract",
    ...(architecture === "all" ? [] : [`--architectures=${architecture}`]),
    // The testing suite's index is sometimes mirrored past its date; its signature holds all the same.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    ...(later === undefined ? [] : laterArguments(suite, later)),
    ...(tree.keepsArchives === true ? [KEEP_ARCHIVES] : []),
    // A pattern of apt's stands for itself: a list that it was part of would be taken for one pattern.
    ...packages.filter(isPattern).map((pattern) => `--include=${pattern}`),
    `--include=${packages.filter((name) => !isPattern(name)).join(",")}`,
    suite,
  ];
}

const KEEP_ARCHIVES = "--skip=download/empty,essential/unlink,cleanup/apt/cache";

function isPattern(name: string): boolean {
  return name.startsWith("?");
}

/** The later suite from the mirror that mmdebstrap takes, and nothing but these packages of it. */
function laterArguments(suite: string, later: NonNullable<PackageTree["later"]>): readonly string[] {
  const origin = `Pin: release n=${later.suite}`;
  const preferences = [
    ...["Package: *", origin, "Pin-Priority: 100", ""],
    ...[`Package: ${later.packages.join(" ")}`, origin, "Pin-Priority: 900", ""],
  ].join("\\n");
  const source = `sed -n "s/ ${suite} main/ ${later.suite} main/p" "$1/etc/apt/sources.list"`;
  return [
    `--setup-hook=${source} > "$1/etc/apt/sources.list.d/${later.suite}.list"`,
    `--setup-hook=printf "${preferences}" > "$1/etc/apt/preferences.d/${later.suite}"`,
  ];
}

/** Into a folder, or into an archive if the name ends in `.tar`: that has the owners of files right, whoever makes it. */
export async function extractPackages(tree: PackageTree, result: string, logFile: string): Promise<void> {
  await run([...extractCommand(tree), result], { logFile });
}
