/** A root in words, for whoever is asked to sign it. */

import type { ParsedFile, RepositoryName, RoleKeys, Root } from "../ota/metadata.ts";
import { ROLE_NAMES } from "../ota/metadata.ts";
import { type KeyNames, showKey } from "./keyring.ts";
import type { RootSignatures } from "./pending-root.ts";
import type { RootBefore } from "./root-before.ts";
import { keyNamesOf } from "./root-changes.ts";

/**
 * The lines that say what a root is, what it changes (where the one before it is known), and who signed.
 *
 * Whoever prepared the root chose the names in it, and can make a key whose id begins as another's does: so what changes is told by whole ids, a
 * known key keeps the name that it had, and a key that is new is shown with its whole id, for the keeper to compare. Where the one before it is not
 * known, every key is new.
 */
export function describeRoot(
  name: RepositoryName,
  root: ParsedFile<Root>,
  before: RootBefore,
  { signedBy, missing }: RootSignatures,
): readonly string[] {
  const { version, expires, roles } = root.metadata;
  const { root: previous } = before;
  const names = new Map([...keyNamesOf(root), ...(previous === undefined ? [] : keyNamesOf(previous))]);
  const lines = [`${name} root ${version}, valid until ${expires}`, ...warning(root.metadata, before)];
  for (const role of ROLE_NAMES) {
    lines.push(`  ${role.padEnd(10)} ${showRole(roles[role], names)}`);
    const former = previous?.metadata.roles[role];
    if (former !== undefined && !isSameRole(former, roles[role])) {
      lines.push(`  ${"".padEnd(10)} before: ${showRole(former, names)}`);
    }
  }
  lines.push(...keysToCompare(root.metadata, previous?.metadata, names));
  const signed = signedBy.length === 0 ? "nobody" : showKeys(signedBy, names);
  lines.push(`  ${"signed by".padEnd(10)} ${signed}`);
  for (const [wanted, group] of Map.groupBy(
    missing,
    ({ count, keyIds }) => `${count} of ${showKeys(keyIds, names)}`,
  )) {
    lines.push(
      `  ${"missing".padEnd(10)} ${wanted}, as root ${group.map((each) => each.version).join(" and ")} ask${group.length === 1 ? "s" : ""}`,
    );
  }
  return lines;
}

/** Whoever signs without knowing what changes is told so before anything else. */
function warning({ version }: Root, { root: previous, unproven }: RootBefore): readonly string[] {
  if (previous !== undefined || version === 1) return [];
  const reason =
    unproven === undefined
      ? `root ${version - 1} is not here`
      : `${unproven} says what was before, and whoever carried it may have written that: no key named with --key has signed it`;
  return [
    `  ${"WARNING".padEnd(10)} what this root changes is not known: ${reason}.`,
    `  ${"".padEnd(10)} Before you sign, name the copy of root ${version - 1} that you keep (--previous FILE) or the repository folder of your`,
    `  ${"".padEnd(10)} own (--repo DIR), or ask each keeper for the id of the key, by telephone, and compare all of its digits:`,
  ];
}

/** The keys that the keeper does not know from before, by their whole ids: the new ones, or where nothing is known all of them. */
function keysToCompare(root: Root, previous: Root | undefined, names: KeyNames): readonly string[] {
  if (previous === undefined && root.version === 1) return [];
  const idsOf = ({ roles }: Root) => new Set(ROLE_NAMES.flatMap((role) => roles[role].keyIds));
  const known = previous === undefined ? new Set<string>() : idsOf(previous);
  const label = previous === undefined ? "compare" : "new key";
  return [...idsOf(root).difference(known)].map(
    (keyId) => `  ${label.padEnd(10)} ${names.get(keyId) ?? "without a name"}, id ${keyId}`,
  );
}

function isSameRole(one: RoleKeys, other: RoleKeys): boolean {
  const isSameKeys = new Set(one.keyIds).symmetricDifference(new Set(other.keyIds)).size === 0;
  return isSameKeys && one.threshold === other.threshold;
}

function showRole({ keyIds, threshold }: RoleKeys, names: KeyNames): string {
  return `${threshold} of ${showKeys(keyIds, names)}`;
}

function showKeys(keyIds: readonly string[], names: KeyNames): string {
  return keyIds.map((keyId) => showKey(keyId, names)).join(", ");
}
