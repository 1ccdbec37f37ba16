/** The watch over the metadata topics: floods, loops, a disk that fails. Times are the real ones; no test waits for one of them to pass in vain. */

import test, { type ExecutionContext } from "ava";
import { METADATA_SETTLE_MS, REFUSED_EVALUATIONS_BURST } from "../../agent/limits.ts";
import { TrustWatch, type TrustWatchOptions } from "../../agent/trust-watch.ts";
import { OtaError } from "../../ota/errors.ts";
import { MAX_DELEGATED_FILES } from "../../ota/limits.ts";
import { loadTrustedRepository } from "../../ota/load-trusted.ts";
import type { RepositoryName, TargetInfo } from "../../ota/metadata.ts";
import type { Selection } from "../../ota/selection.ts";
import { signMetadata, targetsJson } from "../../ota/sign-metadata.ts";
import { createVerifier, type SignatureVerifier } from "../../ota/signature.ts";
import type { TrustedRepository } from "../../ota/trust-state.ts";
import {
  type MetadataSet,
  metadataSet,
  NEXT_YEAR_MS,
  NOW_MS,
  repositorySigners,
  rootFile,
  testSigner,
  testTarget,
} from "../support/signed-repository.ts";

const RELEASE = "acme/thermo/1.0.0";
const IMAGE_TARGETS = [
  testTarget(`${RELEASE}/component.wasm`, { skerry: { release: 1 } }),
  testTarget(`${RELEASE}/component.chunks`),
  testTarget(`${RELEASE}/module.toml`),
];
const DIRECTOR_TARGETS = [
  testTarget(`${RELEASE}/component.wasm`, { skerry: { assignments: [{ order: 1, device: "pi-01" }] } }),
];

/** Things that happen, each to be waited for by its number. */
class Happenings<T> {
  readonly all: T[] = [];
  #wake = Promise.withResolvers<void>();

  add(happening: T): void {
    this.all.push(happening);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async nth(number: number): Promise<T> {
    for (;;) {
      const found = this.all[number - 1];
      if (found !== undefined) return found;
      await this.#wake.promise;
    }
  }
}

interface Scene {
  readonly watch: TrustWatch;
  readonly selections: Happenings<ReadonlyMap<string, Selection>>;
  readonly refusals: Happenings<OtaError>;
  readonly problems: Happenings<unknown>;
  readonly requests: Happenings<true>;
  readonly sets: Readonly<Record<RepositoryName, (version: number) => Promise<MetadataSet>>>;
  directorOf(version: number, targets: readonly TargetInfo[]): Promise<MetadataSet>;
  send(repository: RepositoryName, files: Partial<MetadataSet> & { readonly acme?: Uint8Array }): void;
}

async function scene(t: ExecutionContext, options: Partial<TrustWatchOptions> = {}): Promise<Scene> {
  const verifier = await createVerifier();
  const signers = {
    image: await repositorySigners("image"),
    director: await repositorySigners("director"),
  };
  const trust = async (repository: RepositoryName): Promise<TrustedRepository> =>
    loadTrustedRepository(repository, await rootFile(signers[repository]), {}, verifier).trusted;
  const selections = new Happenings<ReadonlyMap<string, Selection>>();
  const refusals = new Happenings<OtaError>();
  const problems = new Happenings<unknown>();
  const requests = new Happenings<true>();
  const watch = new TrustWatch({
    trusted: { image: await trust("image"), director: await trust("director") },
    verifier,
    device: { id: "pi-01", groups: [] },
    now: () => NOW_MS,
    save: async () => undefined,
    committed: () => new Map(),
    requestAgain: () => requests.add(true),
    onSelections: (each) => selections.add(each),
    onRefused: (error) => refusals.add(error),
    onProblem: (error) => problems.add(error),
    ...options,
  });
  t.teardown(() => watch.stop());
  return {
    watch,
    selections,
    refusals,
    problems,
    requests,
    sets: {
      image: (version) => metadataSet(signers.image, { version, targets: IMAGE_TARGETS }),
      director: (version) => metadataSet(signers.director, { version, targets: DIRECTOR_TARGETS }),
    },
    directorOf: (version, targets) => metadataSet(signers.director, { version, targets }),
    send: (repository, set) => {
      for (const [name, payload] of Object.entries(set)) watch.receive(repository, name, payload);
    },
  };
}

test("metadata that never stops arriving is judged all the same", async (t) => {
  const { watch, send, selections, sets } = await scene(t);
  send("image", await sets.image(1));
  send("director", await sets.director(1));
  // A broker repeats a root that everybody has, faster than it ever becomes quiet.
  const flood = setInterval(() => watch.receive("image", "1.root", Uint8Array.of(1)), METADATA_SETTLE_MS / 5);
  t.teardown(() => clearInterval(flood));
  const selected = await selections.nth(1);
  t.is(selected.get("acme/thermo")?.kind, "selected");
});

test("what does not fit is asked for once more, reported, and not asked for again by the same bytes", async (t) => {
  const { send, selections, refusals, requests, sets } = await scene(t);
  const old = await sets.image(1);
  send("image", await sets.image(2));
  send("director", await sets.director(1));
  await selections.nth(1);
  // The broker was restored from a backup: everything that it has is older.
  send("image", old);
  await requests.nth(1);
  send("image", old);
  t.is((await refusals.nth(1)).code, "trust/rollback-attack");
  // It has arrived in full only now, over a slow line; each selection is one evaluation of it.
  for (let round = 0; round < 3; round += 1) {
    const { length } = selections.all;
    send("image", old);
    await selections.nth(length + 1);
  }
  // Another watch begins its round after that: it asks later than this one would have.
  const later = await scene(t);
  later.send("image", { targets: old.targets });
  await later.requests.nth(1);
  t.is(requests.all.length, 1);
  t.is(refusals.all.length, 1);
  send("image", { ...old, targets: new Uint8Array(0) });
  await requests.nth(2);
});

test("a release that nobody vouches for is refused after everything was asked for once more", async (t) => {
  const { send, selections, requests, sets } = await scene(t);
  const empty = await metadataSet(await repositorySigners("image"), { version: 1 });
  send("image", empty);
  send("director", await sets.director(1));
  t.false((await selections.nth(1)).has("acme/thermo"));
  await requests.nth(1);
  const { length } = selections.all;
  const refused = (await selections.nth(length + 1)).get("acme/thermo");
  t.is(refused?.kind === "refused" ? refused.error.code : undefined, "trust/not-vouched");
  send("image", empty);
  const again = (await selections.nth(length + 2)).get("acme/thermo");
  t.is(again?.kind, "refused");
});

test("a disk that fails is told once, and nothing is selected by what could not be written", async (t) => {
  let isFull = true;
  const { send, problems, selections, sets } = await scene(t, {
    save: async () => {
      if (isFull) throw new OtaError("store/disk-full", "no space left");
    },
  });
  send("director", await sets.director(1));
  send("image", await sets.image(1));
  await problems.nth(1);
  send("image", await sets.image(2));
  t.deepEqual(selections.all, []);
  isFull = false;
  send("image", await sets.image(3));
  t.is((await selections.nth(1)).get("acme/thermo")?.kind, "selected");
  t.is(problems.all.length, 1);
});

test("a refresh that brings nothing new costs no signature check, delegated roles included", async (t) => {
  const inner = await createVerifier();
  let checks = 0;
  const verifier: SignatureVerifier = {
    verify(...parts) {
      checks += 1;
      return inner.verify(...parts);
    },
  };
  const team = await testSigner("acme");
  const fields = { version: 1, expiresMs: NEXT_YEAR_MS };
  const acme = await signMetadata(targetsJson({ ...fields, targets: IMAGE_TARGETS }), [team]);
  const delegations = {
    keys: { [team.key.keyId]: team.key.json },
    roles: [
      { name: "acme", keyids: [team.key.keyId], threshold: 1, paths: ["acme/*/*/*"], terminating: true },
    ],
  };
  const image = await metadataSet(await repositorySigners("image"), {
    change: { targets: (signed) => ({ ...signed, delegations }) },
    delegated: new Map([["acme", { version: 1, bytes: acme }]]),
  });
  const { send, selections, sets } = await scene(t, { verifier });
  const director = await sets.director(1);
  send("director", director);
  send("image", { ...image, acme });
  t.is((await selections.nth(1)).get("acme/thermo")?.kind, "selected");
  const { length } = selections.all;
  const before = checks;
  t.true(before >= 7);
  send("director", director);
  send("image", { ...image, acme });
  await selections.nth(length + 1);
  t.is(checks, before);
});

test("a role that the device needs gets room, however many others lie on the broker before it", async (t) => {
  const team = await testSigner("acme");
  const fields = { version: 1, expiresMs: NEXT_YEAR_MS };
  const acme = await signMetadata(targetsJson({ ...fields, targets: IMAGE_TARGETS }), [team]);
  const delegations = {
    keys: { [team.key.keyId]: team.key.json },
    roles: [
      { name: "acme", keyids: [team.key.keyId], threshold: 1, paths: ["acme/*/*/*"], terminating: true },
    ],
  };
  const image = await metadataSet(await repositorySigners("image"), {
    change: { targets: (signed) => ({ ...signed, delegations }) },
    delegated: new Map([["acme", { version: 1, bytes: acme }]]),
  });
  const others = Object.fromEntries(
    Array.from({ length: MAX_DELEGATED_FILES }, (_each, index) => [`team-${index}`, Uint8Array.of(1)]),
  );
  const { send, selections, requests, refusals, sets } = await scene(t, { graceMs: 50 });
  const sendAll = () => send("image", { ...others, ...image, acme });
  send("director", await sets.director(1));
  sendAll();
  t.false((await selections.nth(1)).has("acme/thermo"));
  await requests.nth(1);
  const { length } = selections.all;
  sendAll();
  t.is((await selections.nth(length + 1)).get("acme/thermo")?.kind, "selected");
  t.deepEqual(refusals.all, []);
});

test("a new assignment finds its release at the end of a chain of delegations at once, without a wait for each role of it", async (t) => {
  const depth = 4;
  const names = Array.from({ length: depth }, (_each, index) => `team-${index}`);
  const release = "acme/meter/1.0.0";
  const targets = ["component.chunks", "module.toml"].map((file) => testTarget(`${release}/${file}`));
  const component = testTarget(`${release}/component.wasm`, { skerry: { release: 1 } });
  const delegated = new Map<string, { version: number; bytes: Uint8Array }>();
  const delegationTo = async (name: string) => {
    const { key } = await testSigner(name);
    const role = { name, keyids: [key.keyId], threshold: 1, paths: ["acme/meter/*/*"], terminating: true };
    return { keys: { [key.keyId]: key.json }, roles: [role] };
  };
  for (const [index, name] of names.entries()) {
    const next = names[index + 1];
    const listed = next === undefined ? [component, ...targets] : [];
    const signed = targetsJson({ version: 1, expiresMs: NEXT_YEAR_MS, targets: listed });
    const delegations = next === undefined ? {} : { delegations: await delegationTo(next) };
    const bytes = await signMetadata({ ...signed, ...delegations }, [await testSigner(name)]);
    delegated.set(name, { version: 1, bytes });
  }
  const delegations = await delegationTo("team-0");
  const image = await metadataSet(await repositorySigners("image"), {
    targets: IMAGE_TARGETS,
    change: { targets: (signed) => ({ ...signed, delegations }) },
    delegated,
  });
  const retained = {
    ...image,
    ...Object.fromEntries([...delegated].map(([name, { bytes }]) => [name, bytes])),
  };
  let requests = 0;
  const { send, selections, sets, directorOf } = await scene(t, {
    graceMs: 2_000,
    requestAgain: () => {
      requests += 1;
      send("image", retained);
    },
  });
  send("image", retained);
  send("director", await sets.director(1));
  t.is((await selections.nth(1)).get("acme/thermo")?.kind, "selected");
  const assigned = testTarget(component.path, { skerry: { assignments: [{ order: 1, device: "pi-01" }] } });
  send("director", await directorOf(2, [...DIRECTOR_TARGETS, assigned]));
  let meter: Selection | undefined;
  for (let number = 2; meter === undefined; number += 1) {
    meter = (await selections.nth(number)).get("acme/meter");
  }
  t.is(meter.kind, "selected");
  t.is(requests, depth);
});

test("forged metadata without end, each otherwise, is looked at ever more seldom; a genuine one is taken all the same", async (t) => {
  const { send, selections, refusals, sets } = await scene(t);
  send("image", await sets.image(1));
  send("director", await sets.director(1));
  await selections.nth(1);
  const genuine = await sets.director(2);
  let nonce = 0;
  const flood = setInterval(() => {
    nonce += 1;
    const forged = `{"signed":{"_type":"forged ${nonce}"},"signatures":[]}`;
    send("director", { timestamp: new TextEncoder().encode(forged) });
  }, METADATA_SETTLE_MS * 1.1);
  t.teardown(() => clearInterval(flood));
  await refusals.nth(REFUSED_EVALUATIONS_BURST);
  const sent = nonce;
  while (nonce < sent + 20) await new Promise((resolve) => setImmediate(resolve));
  clearInterval(flood);
  t.true(refusals.all.length <= REFUSED_EVALUATIONS_BURST + 3, `${refusals.all.length} refusals`);
  const told = refusals.all.length;
  const { length } = selections.all;
  send("director", genuine);
  await selections.nth(length + 1);
  t.true(refusals.all.length <= told + 1);
});

test("a root that ends a stolen key's time far ahead ends it for the other repository at once", async (t) => {
  const far = Date.UTC(2099);
  const expiresMs = { targets: far + 1_000, snapshot: far + 1_000, timestamp: far + 1_000 };
  const saved = new Happenings<RepositoryName>();
  const { send, watch, selections, refusals, sets } = await scene(t, {
    now: (markMs) => Math.max(NOW_MS, markMs),
    save: async (repository) => saved.add(repository),
  });
  const stolen = await repositorySigners("director");
  send("director", await metadataSet(stolen, { targets: DIRECTOR_TARGETS, issuedMs: far, expiresMs }));
  t.is(await saved.nth(1), "director");
  // The agent has just started: of the image repository nothing was found to hold yet.
  send("image", await sets.image(1));
  t.like(await refusals.nth(1), { code: "trust/freeze-attack" });
  const online = { signers: [await testSigner("another")], threshold: 1 };
  const rotated = { ...stolen, timestamp: online, snapshot: online, targets: online };
  watch.receive("director", "2.root", await rootFile(rotated, { version: 2 }));
  send("director", await metadataSet(rotated, { targets: DIRECTOR_TARGETS, issuedMs: NOW_MS }));
  t.is((await selections.nth(1)).get("acme/thermo")?.kind, "selected");
});

test("a repository of which only a known root came is reported as incomplete", async (t) => {
  const { watch, refusals } = await scene(t);
  watch.receive("director", "1.root", Uint8Array.of(1));
  const error = await refusals.nth(1);
  t.is(error.code, "trust/incomplete");
  t.like(error.details, { repository: "director", role: "timestamp" });
});
