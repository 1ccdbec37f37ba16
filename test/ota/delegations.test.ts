/** Targets by delegation: TUF 1.0.31 §5.6.7 and Uptane 2.1, "How to resolve delegations". */

import test from "ava";
import type { OtaError } from "../../ota/errors.ts";
import type { JsonObject } from "../../ota/json.ts";
import { MAX_DELEGATED_FILES, MAX_VISITED_ROLES } from "../../ota/limits.ts";
import { parseMetadata } from "../../ota/parse-metadata.ts";
import { type Resolution, TargetSearch, VerifiedDelegations } from "../../ota/resolve-target.ts";
import { signMetadata, snapshotJson, targetsJson } from "../../ota/sign-metadata.ts";
import { createVerifier, type Signer } from "../../ota/signature.ts";
import { NEXT_YEAR_MS, NOW_MS, testSigner, testTarget } from "../support/signed-repository.ts";

const PATH = "acme/thermo/1.0.0/component.wasm";

interface RoleToWrite {
  /** Paths that it lists. */
  readonly lists?: readonly string[];
  readonly delegates?: readonly JsonObject[];
  readonly keys?: readonly Signer[];
  readonly signedBy?: Signer;
  readonly version?: number;
  readonly expiresMs?: number;
}

/** A delegation to a role, by its own key unless said. */
async function delegation(name: string, fields: JsonObject = {}): Promise<JsonObject> {
  const { key } = await testSigner(name);
  return { name, keyids: [key.keyId], threshold: 1, paths: ["acme/*/*/*"], terminating: false, ...fields };
}

async function write(name: string, role: RoleToWrite): Promise<Uint8Array> {
  const names = (role.delegates ?? []).map((each) => `${each["name"]}`);
  const keys = [...(role.keys ?? []), ...(await Promise.all(names.map(testSigner)))];
  const delegations = {
    keys: Object.fromEntries(keys.map(({ key }) => [key.keyId, key.json])),
    roles: role.delegates ?? [],
  };
  const signed = targetsJson({
    version: role.version ?? 1,
    expiresMs: role.expiresMs ?? NEXT_YEAR_MS,
    targets: (role.lists ?? []).map((path) => testTarget(path, { by: name })),
  });
  return signMetadata({ ...signed, delegations }, [role.signedBy ?? (await testSigner(name))]);
}

interface Written {
  readonly search: TargetSearch;
  readonly find: (path?: string) => Resolution;
}

interface Options {
  readonly hardware?: string;
  readonly nowMs?: number;
  /** Roles whose files have not arrived, or that the snapshot does not list. */
  readonly absent?: readonly string[];
  readonly unlisted?: readonly string[];
  /** What arrived in place of what the snapshot lists. */
  readonly arrived?: Readonly<Record<string, Uint8Array>>;
  readonly verified?: VerifiedDelegations;
  readonly neededBefore?: ReadonlySet<string>;
  readonly onVerify?: () => void;
}

/** A repository of these roles; `targets` is the top-level one. */
async function repository(
  roles: Readonly<Record<string, RoleToWrite>>,
  options: Options = {},
): Promise<Written> {
  const files = new Map<string, Uint8Array>();
  for (const [name, role] of Object.entries(roles)) files.set(name, await write(name, role));
  const top = parseMetadata("image", "targets", files.get("targets") ?? new Uint8Array());
  const signer = await testSigner("snapshot");
  const listed = [...files].filter(([name]) => name !== "targets" && !options.unlisted?.includes(name));
  const snapshot = snapshotJson({
    version: 1,
    expiresMs: NEXT_YEAR_MS,
    targets: { version: 1, bytes: top.bytes },
    delegated: new Map(listed.map(([name, bytes]) => [name, { version: roles[name]?.version ?? 1, bytes }])),
  });
  const { metadata } = parseMetadata("image", "snapshot", await signMetadata(snapshot, [signer]));
  const verifier = await createVerifier();
  const arrived = [...files, ...Object.entries(options.arrived ?? {})];
  const search = new TargetSearch({
    targets: top.metadata,
    snapshot: metadata,
    delegated: new Map(arrived.filter(([name]) => name !== "targets" && !options.absent?.includes(name))),
    nowMs: options.nowMs ?? NOW_MS,
    verifier: {
      verify(...parts) {
        options.onVerify?.();
        return verifier.verify(...parts);
      },
    },
    hardware: options.hardware,
    verified: options.verified ?? new VerifiedDelegations(),
    neededBefore: options.neededBefore,
  });
  return { search, find: (path = PATH) => search.find(path) };
}

/** The role that a path was found in, or what else came of it. */
function by(resolution: Resolution): string {
  if (resolution.kind === "found") return `${resolution.target.custom?.["by"]}`;
  return resolution.kind === "absent" ? "absent" : resolution.error.code;
}

function errorOf(resolution: Resolution): OtaError | undefined {
  return resolution.kind === "unresolved" ? resolution.error : undefined;
}

test("§5.6.7: a path is found in the role that it is delegated to, and the top level goes first", async (t) => {
  const acme = await delegation("acme");
  const delegated = await repository({ targets: { delegates: [acme] }, acme: { lists: [PATH] } });
  t.is(by(delegated.find()), "acme");
  const both = await repository({ targets: { lists: [PATH], delegates: [acme] }, acme: { lists: [PATH] } });
  t.is(by(both.find()), "targets");
  t.is(both.search.neededRoles.size, 0);
});

test("§4.5: a role is not believed about a path that it was not delegated", async (t) => {
  const acme = await delegation("acme", { paths: ["other/*/*/*"] });
  const { find } = await repository({ targets: { delegates: [acme] }, acme: { lists: [PATH] } });
  t.is(by(find()), "absent");
});

test("§4.5: each role of a chain has to be trusted with the path", async (t) => {
  const wide = await delegation("wide");
  const narrow = await delegation("narrow", { paths: ["acme/other/*/*"] });
  const { find } = await repository({
    targets: { delegates: [narrow] },
    narrow: { delegates: [wide] },
    wide: { lists: [PATH] },
  });
  t.is(by(find()), "absent");
});

test("§5.6.7: pre-order, depth first, in the order of the delegations", async (t) => {
  const [one, two, deep] = await Promise.all(["one", "two", "deep"].map((name) => delegation(name)));
  if (one === undefined || two === undefined || deep === undefined) return t.fail();
  const roles = { one: { delegates: [deep] }, deep: { lists: [PATH] }, two: { lists: [PATH] } };
  t.is(by((await repository({ targets: { delegates: [one, two] }, ...roles })).find()), "deep");
  t.is(by((await repository({ targets: { delegates: [two, one] }, ...roles })).find()), "two");
});

test("§5.6.7.2: a terminating delegation ends the search, whichever role it stands in", async (t) => {
  const acme = await delegation("acme", { terminating: true });
  const later = await delegation("later");
  const inner = await delegation("inner", { terminating: true });
  const outer = await delegation("outer");
  const flat = await repository({
    targets: { delegates: [acme, later] },
    acme: {},
    later: { lists: [PATH] },
  });
  t.is(by(flat.find()), "absent");
  const nested = await repository({
    targets: { delegates: [outer, later] },
    outer: { delegates: [inner] },
    inner: {},
    later: { lists: [PATH] },
  });
  t.is(by(nested.find()), "absent");
});

test("§5.6.7.2: a terminating delegation that is not for the path ends nothing", async (t) => {
  const acme = await delegation("acme", { terminating: true, paths: ["other/*/*/*"] });
  const later = await delegation("later");
  const { find } = await repository({
    targets: { delegates: [acme, later] },
    acme: {},
    later: { lists: [PATH] },
  });
  t.is(by(find()), "later");
});

test("§5.6.7.1: a cycle of delegations is walked once", async (t) => {
  const [one, two] = [await delegation("one"), await delegation("two")];
  const { find, search } = await repository({
    targets: { delegates: [one] },
    one: { delegates: [two] },
    two: { delegates: [one] },
  });
  t.is(by(find()), "absent");
  t.deepEqual([...search.neededRoles], ["one", "two"]);
});

test("§5.6.7.1: a chain of delegations is followed up to a bounded number of roles", async (t) => {
  const names = Array.from({ length: MAX_VISITED_ROLES + 3 }, (_, index) => `role-${index}`);
  const roles: Record<string, RoleToWrite> = {};
  for (const [index, name] of names.entries()) {
    const next = names[index + 1];
    roles[name] = next === undefined ? { lists: [PATH] } : { delegates: [await delegation(next)] };
  }
  const { find, search } = await repository({
    targets: { delegates: [await delegation("role-0")] },
    ...roles,
  });
  t.is(by(find()), "absent");
  t.is(search.neededRoles.size, MAX_VISITED_ROLES - 1);
});

test("hash bins: a path is looked up in its bin only", async (t) => {
  const { createHash } = await import("node:crypto");
  const digit = createHash("sha256").update(PATH).digest("hex").slice(0, 1);
  const others = [..."0123456789abcdef"].filter((each) => each !== digit);
  const bin = async (name: string, prefixes: string[]) => {
    const { paths: _paths, ...rest } = await delegation(name, { terminating: true });
    return { ...rest, path_hash_prefixes: prefixes };
  };
  const { find, search } = await repository({
    targets: { delegates: [await bin("bin-rest", others), await bin("bin-own", [digit])] },
    "bin-rest": {},
    "bin-own": { lists: [PATH] },
  });
  t.is(by(find()), "bin-own");
  t.deepEqual([...search.neededRoles], ["bin-own"]);
});

test("Uptane: a delegation for other hardware is not followed", async (t) => {
  const pi = await delegation("pi", { skerry: { hardware: ["rpi-4"] } });
  const roles = { targets: { delegates: [pi] }, pi: { lists: [PATH] } };
  t.is(by((await repository(roles, { hardware: "rpi-4" })).find()), "pi");
  t.is(by((await repository(roles, { hardware: "rpi-3" })).find()), "absent");
  t.is(by((await repository(roles)).find()), "absent");
});

test("a delegated file of another key, below the threshold or by the top level's key is refused by its role's name", async (t) => {
  const acme = await delegation("acme");
  const twoKeys = { ...acme, threshold: 2 };
  for (const [role, signer] of [
    [acme, "attacker"],
    [acme, "targets"],
    [twoKeys, "acme"],
  ] as const) {
    const { find } = await repository({
      targets: { delegates: [role], keys: [await testSigner("acme")] },
      acme: { lists: [PATH], signedBy: await testSigner(signer) },
    });
    const error = errorOf(find());
    t.is(error?.code, "trust/signature-invalid");
    t.like(error?.details, { repository: "image", role: "acme" });
  }
});

test("mix-and-match, rollback: a delegated file that is not the one that the snapshot lists is refused", async (t) => {
  const acme = await delegation("acme");
  const roles = { targets: { delegates: [acme] }, acme: { lists: [PATH], version: 2 } };
  const older = await write("acme", { lists: [PATH], version: 1 });
  const newer = await write("acme", { lists: [PATH], version: 3 });
  const other = await write("acme", { lists: [PATH, "acme/thermo/6.6.6/component.wasm"], version: 2 });
  t.is(by((await repository(roles, { arrived: { acme: older } })).find()), "trust/mix-and-match-attack");
  t.is(by((await repository(roles, { arrived: { acme: newer } })).find()), "trust/mix-and-match-attack");
  t.is(by((await repository(roles, { arrived: { acme: other } })).find()), "trust/length-mismatch");
  t.is(by((await repository(roles, { unlisted: ["acme"] })).find()), "trust/mix-and-match-attack");
});

test("freeze attack: a delegated file that has expired is refused", async (t) => {
  const acme = await delegation("acme");
  const roles = { targets: { delegates: [acme] }, acme: { lists: [PATH], expiresMs: NOW_MS + 1_000 } };
  t.is(by((await repository(roles)).find()), "acme");
  t.is(by((await repository(roles, { nowMs: NOW_MS + 1_000 })).find()), "trust/freeze-attack");
});

test("a role on the way that is missing or garbage ends the search: none after it is asked instead", async (t) => {
  const [first, second] = [await delegation("first"), await delegation("second")];
  const roles = { targets: { delegates: [first, second] }, first: {}, second: { lists: [PATH] } };
  const missing = await repository(roles, { absent: ["first"] });
  t.is(by(missing.find()), "trust/incomplete");
  t.deepEqual([...missing.search.neededRoles], ["first"]);
  const garbage = await repository(roles, { arrived: { first: Buffer.from("{") } });
  t.is(by(garbage.find()), "trust/malformed");
  t.is(by((await repository(roles)).find()), "second");
});

test("the same file is verified once, and again when the delegation is another", async (t) => {
  let checks = 0;
  const verified = new VerifiedDelegations();
  const options = {
    verified,
    onVerify: () => {
      checks += 1;
    },
  };
  const acme = await delegation("acme");
  const roles = { targets: { delegates: [acme] }, acme: { lists: [PATH] } };
  const { find } = await repository(roles, options);
  t.is(by(find()), "acme");
  t.is(by(find(PATH.replace("component.wasm", "module.toml"))), "absent");
  t.is(checks, 1);
  // The top-level targets were written anew: who may sign is read from them again.
  await repository(roles, options).then((again) => again.find());
  t.is(checks, 2);
});

test("more roles than a device keeps are told as that, with what to do, whichever of them is missing", async (t) => {
  // With the two that delegate to them one more than there is room for; a file lists at most 64 keys.
  const names = Array.from({ length: MAX_DELEGATED_FILES - 1 }, (_each, index) => `team-${index}`);
  const delegates = await Promise.all(
    names.map((name) => delegation(name, { paths: [`${name}/*/*/*`], terminating: true })),
  );
  const halves = await Promise.all(["left", "right"].map((name) => delegation(name, { paths: ["*/*/*/*"] })));
  const roles = {
    targets: { delegates: halves },
    left: { delegates: delegates.slice(0, 32) },
    right: { delegates: delegates.slice(32) },
    ...Object.fromEntries(names.map((name) => [name, {}])),
  };
  const pathOf = (name: string): string => `${name}/thermo/1.0.0/component.wasm`;
  const first = await repository(roles, { absent: ["team-0"] });
  t.is(by(first.find(pathOf("team-0"))), "trust/incomplete", "one role is needed, as far as is known");
  for (const name of names) first.find(pathOf(name));
  const { neededRoles } = first.search;
  t.is(neededRoles.size, MAX_DELEGATED_FILES + 1);
  const again = await repository(roles, { absent: ["team-0"], neededBefore: neededRoles });
  const error = errorOf(again.find(pathOf("team-0")));
  t.is(error?.code, "trust/too-many-roles");
  t.regex(error?.message ?? "", /lead to 65 delegated roles .* keeps 64 with 1MiB; assign it fewer modules/);
  const fewer = new Set(["left", ...names]);
  const enough = await repository(roles, { absent: ["team-0"], neededBefore: fewer });
  t.is(by(enough.find(pathOf("team-0"))), "trust/incomplete");
});
