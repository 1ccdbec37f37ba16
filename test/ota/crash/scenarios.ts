/** What a device does to its disk, and what has to hold after a power cut at any moment of it. */

import type { Disk, DiskFile } from "../../../ota/disk.ts";
import { DurableAdapter } from "../../../ota/durable-adapter.ts";
import { isObject, releaseId } from "../../../ota/release.ts";
import { STATE_SCHEMA } from "../../../ota/state-format.ts";
import { makeRelease, type TestRelease } from "../../support/releases.ts";
import { type DeviceOptions, dataOf, STATE_DIR, VolatileDevice } from "../../support/volatile-device.ts";
import { VolatileDisk } from "../../support/volatile-disk.ts";
import { copyOf, type Promises, type Scenario } from "./explore.ts";
import { ROTATION } from "./trust-scenario.ts";

export const MODULE = "acme/thermo";
const FOLDER = "acme.thermo";

/** Several chunks, each of several sectors. */
function largeRelease(version: string, seed: number): TestRelease {
  const component = new Uint8Array(12_000).map((_, index) => (index >> 4) + seed);
  return makeRelease(version, { component, chunkBytes: 4_096 });
}

export const OLD = largeRelease("1.0.0", 0);
export const NEW = largeRelease("1.1.0", 7);
const THIRD = largeRelease("1.2.0", 11);
const NEXT = makeRelease("2.0.0");
export const RELEASES = [OLD, NEW, THIRD, NEXT];

/** A disk on which these were installed, one after the other. */
export function installed(...releases: readonly TestRelease[]): () => Promise<VolatileDisk> {
  let made: Promise<VolatileDisk> | undefined;
  const make = async (): Promise<VolatileDisk> => {
    const disk = new VolatileDisk();
    for (const release of releases) {
      const device = await VolatileDevice.open(disk, { releases: RELEASES });
      device.installer.start();
      device.connect();
      if (!(await device.install(release))) throw new Error(`${release.release.version} was not installed`);
      await device.installer.stop();
    }
    return disk;
  };
  return async () => {
    made ??= make();
    return copyOf(await made);
  };
}

type Expectation = {
  /** Versions of which one has to run after the restart; undefined where none may, too. */
  readonly mayRun: readonly (string | undefined)[];
  /** What was being installed: it goes on with what is whole of it, and with nothing else. */
  readonly resumes?: TestRelease;
  /** Versions that trap. */
  readonly traps?: readonly string[];
};

/** An agent with a fresh page cache, a broker and a director that asks for a release. */
function update(release: TestRelease, traps: readonly string[] = []): Scenario["run"] {
  return async (disk, promise, used = disk) => {
    const options: DeviceOptions = {
      releases: RELEASES,
      onReport: ({ event, version }) => {
        if (event === "committed" || event === "rolled-back") promise({ [event]: version ?? "" });
      },
    };
    const device = await VolatileDevice.open(disk, options, used);
    for (const version of traps) device.runner.traps.add(version);
    await device.store.beginRun(device.store.uncleanEnds + 1, "this boot");
    device.installer.start();
    device.connect();
    await device.install(release);
    await device.installer.stop();
    await device.store.endRun();
  };
}

/**
 * The same after an agent that was killed at some change of it: the next one finds in the page cache what is not on the disk, and
 * everything that it does by that may be lost with the power.
 */
export function killedBefore(
  scenario: Scenario,
  moment: string,
  isMoment: (call: string) => boolean,
): Scenario {
  return {
    ...scenario,
    name: `${scenario.name}, by an agent after one that was killed at ${moment}`,
    base: async () => {
      const disk = await scenario.base();
      const life = mortal(disk, isMoment);
      await Promise.race([scenario.run(disk, () => undefined, life.disk).catch(() => undefined), life.over]);
      return disk;
    },
  };
}

/** A disk as a process reaches it that is killed before one of its calls, `syncDirectory /state` for example. */
function mortal(
  disk: VolatileDisk,
  isMoment: (call: string) => boolean,
): { disk: Disk; over: Promise<void> } {
  const over = Promise.withResolvers<void>();
  let isOver = false;
  const alive = <T>(call: string, run: () => Promise<T>): Promise<T> => {
    isOver ||= isMoment(call);
    if (!isOver) return run();
    over.resolve();
    return new Promise(() => undefined);
  };
  const aliveFile = (file: DiskFile, path: string): DiskFile => ({
    read: (target, position) => file.read(target, position),
    write: (bytes, position) => alive(`write ${path}`, () => file.write(bytes, position)),
    truncate: (sizeBytes) => alive(`truncate ${path}`, () => file.truncate(sizeBytes)),
    sync: () => alive(`sync ${path}`, () => file.sync()),
    close: () => file.close(),
  });
  return {
    over: over.promise,
    disk: {
      open: (path, mode) => alive(`open ${path}`, async () => aliveFile(await disk.open(path, mode), path)),
      entry: (path) => disk.entry(path),
      list: (path) => disk.list(path),
      makeDirectory: (path) => alive(`makeDirectory ${path}`, () => disk.makeDirectory(path)),
      rename: (from, to) => alive(`rename ${to}`, () => disk.rename(from, to)),
      remove: (path) => alive(`remove ${path}`, () => disk.remove(path)),
      syncDirectory: (path) => alive(`syncDirectory ${path}`, () => disk.syncDirectory(path)),
      freeBytes: (path) => disk.freeBytes(path),
    },
  };
}

function checks({ mayRun, resumes, traps = [] }: Expectation): Pick<Scenario, "check" | "checkBriefly"> {
  const restart =
    (further: (device: VolatileDevice) => Promise<string | undefined>): Scenario["check"] =>
    async (disk, promises) => {
      const device = await VolatileDevice.open(disk, { releases: RELEASES }).catch((error: unknown) =>
        String(error),
      );
      if (typeof device === "string") return `the store does not open: ${device}`;
      for (const version of traps) device.runner.traps.add(version);
      const wrong = (await whatIsWrong(device, mayRun, promises)) ?? (await further(device));
      await device.installer.stop();
      return wrong;
    };
  return {
    check: restart((device) => isStuck(device, resumes)),
    checkBriefly: restart(async () => undefined),
  };
}

async function whatIsWrong(
  device: VolatileDevice,
  mayRun: readonly (string | undefined)[],
  promises: Promises,
): Promise<string | undefined> {
  if (device.damages.length > 0) return device.damages.join();
  const broken = device.brokenVersions();
  if (broken.length > 0) return `version folders that are not whole: ${broken.join()}`;
  const committed = promises["committed"];
  if (committed !== undefined && !isEqual(device.data(FOLDER), dataOf(committed))) {
    return `what ${committed} had synced of its private data is gone`;
  }
  device.installer.start();
  await device.rest();
  const running = device.runningVersion(MODULE);
  if (!mayRun.includes(running)) return `${running} runs, not one of ${mayRun.join()}`;
  if (committed !== undefined && running !== committed) {
    return `${running} runs after ${committed} was told as committed`;
  }
  if (running !== undefined && running === promises["rolled-back"])
    return `${running} runs after it was told as rolled back`;
  if (running !== undefined && !isEqual(device.data(FOLDER), dataOf(running))) {
    return `${running} does not have its private data`;
  }
  const state = device.store.modules().get(MODULE);
  const inTrial = device.installer.snapshot()[MODULE]?.phase === "trial";
  if (inTrial && state?.committed !== undefined) {
    const copy = device.data(`${FOLDER}.snapshot`);
    if (!isEqual(copy, dataOf(state.committed.version)))
      return "there is no whole copy of the data in a trial";
  }
  for (const release of [state?.committed, state?.previous]) {
    if (release !== undefined && !(await device.store.hasVersion(release)))
      return `${release.version} is gone`;
  }
  return undefined;
}

/** With the broker back the device is not stuck: the next update installs, and nothing is left of what was under way. */
async function isStuck(
  device: VolatileDevice,
  resumes: TestRelease | undefined,
): Promise<string | undefined> {
  device.connect();
  if (
    resumes !== undefined &&
    device.store.modules().get(MODULE)?.committed?.version !== resumes.release.version
  ) {
    if (!(await device.install(resumes)))
      return `the update does not go on: ${JSON.stringify(device.reports.at(-1))}`;
  }
  if (!(await device.install(NEXT)))
    return `the next update does not install: ${JSON.stringify(device.reports.at(-1))}`;
  if (!isEqual(device.data(FOLDER), dataOf("2.0.0")))
    return "the next version does not have its private data";
  const state = device.store.modules().get(MODULE);
  const kept = [state?.committed, state?.previous].flatMap((release) =>
    release === undefined ? [] : [releaseId(release)],
  );
  const left = [...device.disk.files().keys()].filter(
    (path) =>
      /\/incoming\/.|\/data\/.*snapshot/.test(path) ||
      (path.startsWith(`${STATE_DIR}/versions/`) &&
        path.length > `${STATE_DIR}/versions/`.length &&
        !kept.some((name) => path.includes(name))),
  );
  return left.length === 0 ? undefined : `left over: ${left.join()}`;
}

function isEqual(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([name, text]) => other.get(name) === text);
}

/** The same with its state as an agent of schema 1 wrote it: without a count of runs. */
function ofSchema1(base: () => Promise<VolatileDisk>): () => Promise<VolatileDisk> {
  return async () => {
    const disk = await base();
    const { modules } = (await openAdapter(disk, STATE_SCHEMA).read()) ?? {};
    const older = openAdapter(disk, 1);
    for (const slot of [0, 1]) await disk.remove(`${STATE_DIR}/state.${slot}.json`);
    await older.read();
    for (let writes = 0; writes < 2; writes++) await older.write({ schema: 1, modules });
    const text = new TextDecoder().decode(disk.files().get(`${STATE_DIR}/state.1.json`));
    if (!text.includes('"data":{"schema":1,"modules"')) throw new Error("this is no state of schema 1");
    return copyOf(disk);
  };
}

function openAdapter(disk: Disk, schema: number): DurableAdapter<{ schema: number; modules: unknown }> {
  const parse = (data: unknown) => (isObject(data) ? { schema, modules: data["modules"] } : undefined);
  return new DurableAdapter({ disk, directory: STATE_DIR, schema, parse });
}

/** Together they do all that a device does to its disk. Each restarts without a broker in reach: what the power left has to do. */
export const CORE_SCENARIOS: readonly Scenario[] = [
  {
    name: "the first start and the first install",
    base: async () => new VolatileDisk(),
    run: update(OLD),
    ...checks({ mayRun: [undefined, "1.0.0"], resumes: OLD }),
  },
  {
    name: "an update that rolls back",
    base: installed(OLD),
    run: update(NEW, ["1.1.0"]),
    ...checks({ mayRun: ["1.0.0"], traps: ["1.1.0"] }),
  },
  {
    name: "an update that commits, and the clean-up of the version before the last",
    base: installed(OLD, NEW),
    run: update(THIRD),
    ...checks({ mayRun: ["1.1.0", "1.2.0"], resumes: THIRD }),
  },
  ROTATION,
];

export const SCENARIOS: readonly Scenario[] = [
  ...CORE_SCENARIOS,
  {
    name: "an update by an agent that finds the state of an older one",
    base: ofSchema1(installed(OLD)),
    run: update(NEW),
    ...checks({ mayRun: ["1.0.0", "1.1.0"], resumes: NEW }),
  },
];
