/** A root in words, for whoever is asked to sign it. */

import type { ParsedFile, RepositoryName, RoleKeys, Root } from "../ota/metadata.ts";
import { ROLE_NAMES } from "../ota/metadata.ts";
import { type KeyNames, showKey } from "./keyring.ts";
import type { RootSignatures } from "./pending-root.ts";
import { keyNamesOf } from "./root-changes.ts";

/** The lines that say what a root is, what it changes (where the one before it is known), and who signed. */
export function describeRoot(
  name: RepositoryName,
  root: ParsedFile<Root>,
  previous: ParsedFile<Root> | undefined,
  { signedBy, missing }: RootSignatures,
): readonly string[] {
  const { version, expires, roles } = root.metadata;
  const names = new Map([...(previous === undefined ? [] : keyNamesOf(previous)), ...keyNamesOf(root)]);
  const lines = [`${name} root ${version}, valid until ${expires}`];
  for (const role of ROLE_NAMES) {
    const now = showRole(roles[role], names);
    const before = previous === undefined ? now : showRole(previous.metadata.roles[role], names);
    lines.push(`  ${role.padEnd(10)} ${now}`);
    if (before !== now) lines.push(`  ${"".padEnd(10)} before: ${before}`);
  }
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

function showRole({ keyIds, threshold }: RoleKeys, names: KeyNames): string {
  return `${threshold} of ${showKeys(keyIds, names)}`;
}

function showKeys(keyIds: readonly string[], names: KeyNames): string {
  return keyIds.map((keyId) => showKey(keyId, names)).join(", ");
}
