/**
 * What can be changed in a root: keys added, exchanged, taken away; thresholds; a later expiry. Pure: a root goes in, the `signed`
 * object of another comes out.
 *
 * The names that people gave to keys, and the repository that the root is of, stand in the root, in a member that TUF does not define
 * and every reader keeps: `"skerry":{"repository":"image","keyNames":{"<key id>":"image-root-1"}}`.
 */

import { isJsonObject, type JsonObject } from "../ota/json.ts";
import type { PublicKey } from "../ota/keys.ts";
import {
  type ParsedFile,
  type RepositoryName,
  ROLE_NAMES,
  type RoleKeys,
  type RoleName,
  type Root,
} from "../ota/metadata.ts";
import { rootJson } from "../ota/sign-metadata.ts";
import { FleetError } from "./errors.ts";
import { type KeyNames, showKey } from "./keyring.ts";
import { isKeyName, type NamedKey } from "./keys.ts";

/** One change of a root. */
export type RootChange =
  | { readonly kind: "add"; readonly roles: readonly RoleName[]; readonly key: NamedKey }
  /** In every role that lists `keyId`. */
  | { readonly kind: "replace"; readonly keyId: string; readonly key: NamedKey }
  /** From every role that lists `keyId`. */
  | { readonly kind: "remove"; readonly keyId: string }
  | { readonly kind: "threshold"; readonly role: RoleName; readonly threshold: number };

/** A root's keys and roles, without its version and expiry. */
export interface RootContent {
  readonly keys: ReadonlyMap<string, PublicKey>;
  readonly roles: Readonly<Record<RoleName, RoleKeys>>;
  readonly names: KeyNames;
}

/** The names of the keys that a root, or targets that delegate, list; a key without one is missing in it. */
export function keyNamesOf({ signedJson }: Pick<ParsedFile<unknown>, "signedJson">): KeyNames {
  const names = skerryMember(signedJson)["keyNames"];
  if (!isJsonObject(names)) return new Map();
  const entries = Object.entries(names).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && isKeyName(entry[1]),
  );
  return new Map(entries);
}

/** The member that holds names of keys, with what else it held. */
export function keyNamesMember(base: JsonObject | undefined, names: KeyNames): JsonObject {
  return { skerry: { ...skerryMember(base ?? {}), keyNames: Object.fromEntries(names) } };
}

/** The repository that a root says it is of. */
export function repositoryOfRoot({
  signedJson,
}: Pick<ParsedFile<Root>, "signedJson">): RepositoryName | undefined {
  const { repository } = skerryMember(signedJson);
  return repository === "image" || repository === "director" ? repository : undefined;
}

export function contentOf(root: ParsedFile<Root>): RootContent {
  return { keys: root.metadata.keys, roles: root.metadata.roles, names: keyNamesOf(root) };
}

/** The `signed` object of a root; `base` is the one that it follows. */
export function rootSigned(
  repository: RepositoryName,
  content: RootContent,
  fields: { readonly version: number; readonly expiresMs: number; readonly base?: JsonObject },
): JsonObject {
  const { keys, roles, names } = content;
  const used = [...keys.values()].filter(({ keyId }) => listingRoles(roles, keyId).length > 0);
  const keyNames = used.flatMap(({ keyId }) => {
    const name = names.get(keyId);
    return name === undefined ? [] : [[keyId, name] as const];
  });
  const signed = rootJson({ ...fields, keys: used, roles });
  return {
    ...signed,
    skerry: { ...skerryMember(fields.base ?? {}), repository, keyNames: Object.fromEntries(keyNames) },
  };
}

/** A root's content after a change; throws FleetError "fleet/usage" where the change makes no sense. */
export function changeRoot(content: RootContent, change: RootChange): RootContent {
  switch (change.kind) {
    case "add":
      return withKey(content, change.key, (role, { keyIds, threshold }) => ({
        keyIds: change.roles.includes(role) ? [...keyIds, change.key.key.keyId] : keyIds,
        threshold,
      }));
    case "replace":
      return withKey(content, change.key, (_role, { keyIds, threshold }) => ({
        keyIds: keyIds.map((keyId) => (keyId === change.keyId ? change.key.key.keyId : keyId)),
        threshold,
      }));
    case "remove":
      return withRoles(content, (role, { keyIds, threshold }) => {
        const left = keyIds.filter((keyId) => keyId !== change.keyId);
        if (left.length < keyIds.length) refuseTooFewKeys(role, left.length, threshold);
        return { keyIds: left, threshold };
      });
    case "threshold":
      return withRoles(content, (role, { keyIds, threshold }) => {
        if (role !== change.role) return { keyIds, threshold };
        refuseTooFewKeys(role, keyIds.length, change.threshold);
        return { keyIds, threshold: change.threshold };
      });
  }
}

/** The roles that list a key. */
export function listingRoles(
  roles: Readonly<Record<RoleName, RoleKeys>>,
  keyId: string,
): readonly RoleName[] {
  return ROLE_NAMES.filter((role) => roles[role].keyIds.includes(keyId));
}

/**
 * The key that a person means by its name, its id or the first eight digits of it; throws FleetError "fleet/usage".
 */
export function findKey(
  { keys, names }: Pick<RootContent, "keys" | "names">,
  text: string,
): string | undefined {
  const isMeant = (keyId: string): boolean =>
    names.get(keyId) === text || (/^[0-9a-f]{8,64}$/.test(text) && keyId.startsWith(text));
  const found = [...keys.keys()].filter(isMeant);
  if (found.length <= 1) return found[0];
  const which = found.map((keyId) => showKey(keyId, names)).join(", ");
  throw new FleetError("fleet/usage", `"${text}" stands for several keys (${which}): give the digits`);
}

function withKey(
  content: RootContent,
  { name, key }: NamedKey,
  change: (role: RoleName, keys: RoleKeys) => RoleKeys,
): RootContent {
  if (content.keys.has(key.keyId) && listingRoles(content.roles, key.keyId).length > 0) {
    throw new FleetError("fleet/usage", `the root lists ${showKey(key.keyId, content.names)} already`);
  }
  const names = new Map([...content.names, [key.keyId, name]]);
  return withRoles(
    { keys: new Map([...content.keys, [key.keyId, key]]), roles: content.roles, names },
    change,
  );
}

function withRoles(content: RootContent, change: (role: RoleName, keys: RoleKeys) => RoleKeys): RootContent {
  const { root, timestamp, snapshot, targets } = content.roles;
  const roles = {
    root: change("root", root),
    timestamp: change("timestamp", timestamp),
    snapshot: change("snapshot", snapshot),
    targets: change("targets", targets),
  };
  return { ...content, roles };
}

function refuseTooFewKeys(role: RoleName, count: number, threshold: number): void {
  if (threshold >= 1 && count >= threshold) return;
  const advice =
    role === "root"
      ? "`skerry keys rotate` puts a new key in the place of one, --threshold changes how many have to sign"
      : "`skerry keys rotate` puts a new key in its place";
  throw new FleetError(
    "fleet/usage",
    `the role ${role} would have ${count === 1 ? "1 key" : `${count} keys`} and a threshold of ${threshold}: ${advice}`,
  );
}

export function skerryMember(signed: JsonObject): JsonObject {
  const { skerry } = signed;
  return isJsonObject(skerry) ? skerry : {};
}
