/** The teams' side of `skerry keys add --paths`, `rotate` and `revoke`: signed at once, with the key of the image targets. */

import { type CommandCall, repositoryOf } from "./command-line.ts";
import { delegateToTeam, findDelegatedKey, replaceDelegatedKey, revokeDelegatedKey } from "./delegate.ts";
import { pathPatterns } from "./delegations.ts";
import { FleetError } from "./errors.ts";
import { loadMetadata } from "./metadata-store.ts";
import { newKey } from "./new-key.ts";
import type { Repository } from "./repository.ts";
import { keyNamesOf, type RootContent } from "./root-changes.ts";

export async function runAddTeam(call: CommandCall, paths: string): Promise<number> {
  const role = call.text("role");
  if (role === undefined)
    throw new FleetError("fleet/usage", "--role is missing: the name of the team's role");
  if (call.text("repository") === "director" || call.text("threshold") !== undefined) {
    throw new FleetError("fleet/usage", "--paths goes without --repository director and --threshold");
  }
  const patterns = pathPatterns(paths);
  const repository = await repositoryOf(call);
  const content = await delegatedContent(repository);
  const key = await newKey(call, repository, role, content, role);
  const { isSigned } = await delegateToTeam(repository, { role, patterns, key });
  call.io.stdout.write(`${role} signs the releases of ${paths}.${delegatedNext(isSigned)}\n`);
  return 0;
}

/** Exchanges a team's key; undefined if the key is no team's. */
export async function rotateDelegated(
  call: CommandCall,
  repository: Repository,
): Promise<number | undefined> {
  const [text = ""] = call.positionals;
  const old = findDelegatedKey(await loadMetadata(repository, "image"), text);
  if (old === undefined) return undefined;
  if (call.text("threshold") !== undefined) {
    throw new FleetError("fleet/usage", "--threshold is for root keys");
  }
  const stem = (old.names.get(old.keyId) ?? old.roles[0] ?? "team").replace(/-[0-9]+$/, "");
  const key = await newKey(call, repository, stem, await delegatedContent(repository));
  const { isSigned } = await replaceDelegatedKey(repository, old, key);
  call.io.stdout.write(`${key.name} signs for ${old.roles.join(", ")} now.${delegatedNext(isSigned)}\n`);
  return 0;
}

/** Takes a team's key away; undefined if the key is no team's. */
export async function revokeDelegated(
  call: CommandCall,
  repository: Repository,
): Promise<number | undefined> {
  const [text = ""] = call.positionals;
  const old = findDelegatedKey(await loadMetadata(repository, "image"), text);
  if (old === undefined) return undefined;
  if (call.text("threshold") !== undefined) {
    throw new FleetError("fleet/usage", "--threshold is for root keys");
  }
  const lost = await revokeDelegatedKey(repository, old);
  const gone =
    lost.length === 0
      ? ""
      : ` Nothing is delegated to ${lost.join(", ")} any more: devices take up none of its releases, those that run one go on.`;
  call.io.stdout.write(`${old.roles.join(", ")}: the key signs nothing now.${gone} Next: skerry sync\n`);
  return 0;
}

function delegatedNext(isSigned: boolean): string {
  return isSigned
    ? " Next: skerry sync"
    : " Its key is elsewhere: `skerry publish` or `skerry refresh` there signs its releases. Next: skerry sync";
}

async function delegatedContent(repository: Repository): Promise<Pick<RootContent, "names">> {
  return { names: keyNamesOf((await loadMetadata(repository, "image")).targets) };
}
