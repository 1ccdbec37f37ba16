/** A root in words, for whoever is asked to sign it. */

import type { ParsedFile, RepositoryName, RoleKeys, Root } from "../ota/metadata.ts";
import { ROLE_NAMES } from "../ota/metadata.ts";
import { type KeyNames, showKey } from "./keyring.ts";
import type { RootSignatures } from "./pending-root.ts";
import { keyNamesOf } from "./root-changes.ts";

/**
 * The lines that say what a root is, what it changes (where the one before it is known), and who signed.
 *
 * Whoever prepared the root chose the names in it, and can make a key whose id begins as another's does: so what changes is told by whole ids, a
 * known key keeps the name that it had, and a key that is new is shown with its whole id, for the keeper to compare.
 */
export function describeRoot(
  name: RepositoryName,
  root: ParsedFile<Root>,
  previous: ParsedFile<Root> | undefined,
  { signedBy, missing }: RootSignatures,
): readonly string[] {
  const { version, expires, roles } = root.metadata;
  const names = new Map([...keyNamesOf(root), ...(previous === undefined ? [] : keyNamesOf(previous))]);
  const lines = [`${name} root ${version}, valid until ${expires}`];
  for (const role of ROLE_NAMES) {
    lines.push(`  ${role.padEnd(10)} ${showRole(roles[role], names)}`);
    const before = previous?.metadata.roles[role];
    if (before !== undefined && !isSameRole(before, roles[role])) {
      lines.push(`  ${"".padEnd(10)} before: ${showRole(before, names)}`);
    }
  }
  lines.push(...newKeys(root.metadata, previous?.metadata, names));
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

function newKeys(root: Root, previous: Root | undefined, names: KeyNames): readonly string[] {
  if (previous === undefined) {
    return root.version === 1
      ? []
      : [
          `  ${"changes".padEnd(10)} not known: root ${root.version - 1} is not here, --previous names its file`,
        ];
  }
  const idsOf = ({ roles }: Root) => new Set(ROLE_NAMES.flatMap((role) => roles[role].keyIds));
  return [...idsOf(root).difference(idsOf(previous))].map(
    (keyId) => `  ${"new key".padEnd(10)} ${names.get(keyId) ?? "without a name"}, id ${keyId}`,
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
