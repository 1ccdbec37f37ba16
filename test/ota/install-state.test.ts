import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { INITIAL_STATE, step } from "../../ota/install-state.ts";
import type { Failure, InstallEffect, InstallEvent, InstallState } from "../../ota/install-types.ts";
import { MAX_TRIAL_STARTS, RESTART_DELAY_MAX_MS, STABLE_RUN_MS } from "../../ota/limits.ts";
import { type ReleaseRecord, releaseId } from "../../ota/release.ts";
import { makeRelease } from "../support/releases.ts";

const OLD = makeRelease("1.0.0").release;
const NEW = makeRelease("1.1.0").release;
const THIRD = makeRelease("1.2.0").release;
const TRAP: Failure = { code: "trial/trap", message: "unreachable" };
const SPOILED: Failure = { code: "store/corrupt", message: "not what was signed any more" };
const RECOVER: InstallEvent = { kind: "recover", startDelayMs: 0 };
const RESTART_ASKED: InstallEvent = { kind: "restart-asked" };
const NO_SPACE: Failure = { code: "store/disk-full", message: "no space" };
const TIMEOUT: Failure = { code: "delivery/timeout", message: "nothing came" };
const NOT_GRANTED: Failure = { code: "stage/import-not-granted", message: "serial" };

const RUNNING_OLD: InstallState = {
  ...INITIAL_STATE,
  desired: OLD,
  committed: OLD,
  serving: { kind: "up", sinceMs: 0, restarts: 0 },
};

/** Runs events one after another; gives the last state and all effects in a short notation. */
function run(from: InstallState, ...events: InstallEvent[]): { state: InstallState; effects: string[] } {
  let state = from;
  const effects: string[] = [];
  for (const event of events) {
    const next = step(state, event, 0);
    state = next.state;
    effects.push(...next.effects.map(describe));
  }
  return { state, effects };
}

function describe(effect: InstallEffect): string {
  switch (effect.kind) {
    case "emit":
      return `emit ${effect.event} ${effect.release.version}${effect.code === undefined ? "" : ` ${effect.code}`}`;
    case "fetch":
    case "verify":
    case "stop":
      return `${effect.kind} ${effect.release.version}`;
    case "start":
      return `${effect.trial ? "try" : "start"} ${effect.release.version}`;
    default:
      return effect.kind;
  }
}

function desired(release: ReleaseRecord): InstallEvent {
  return { kind: "desired", release };
}

function about(kind: "fetched" | "verified" | "prepared" | "healthy", release: ReleaseRecord): InstallEvent {
  return { kind, id: releaseId(release) };
}

function failing(
  kind: "fetch-failed" | "verify-failed" | "prepare-failed" | "unhealthy" | "ended",
  release: ReleaseRecord,
  failure: Failure,
): InstallEvent {
  return { kind, id: releaseId(release), failure };
}

function untilTrial(release: ReleaseRecord): InstallEvent[] {
  return [
    desired(release),
    about("fetched", release),
    about("verified", release),
    about("prepared", release),
  ];
}

test("an update is fetched and verified beside the old version, which stops before the new one starts", (t) => {
  const { state, effects } = run(RUNNING_OLD, ...untilTrial(NEW), about("healthy", NEW));
  t.deepEqual(effects, [
    "emit fetching 1.1.0",
    "fetch 1.1.0",
    "emit verified 1.1.0",
    "verify 1.1.0",
    "emit staged 1.1.0",
    "stop 1.0.0",
    "snapshot-data",
    "emit trial 1.1.0",
    "try 1.1.0",
    "emit committed 1.1.0",
    "discard-snapshot",
    "clean-up",
  ]);
  t.is(state.committed, NEW);
  t.is(state.previous, OLD);
});

for (const kind of ["ended", "unhealthy"] as const) {
  test(`a trial that is ${kind} is rolled back at once: data restored, the old version started`, (t) => {
    const { state: inTrial } = run(RUNNING_OLD, ...untilTrial(NEW));
    const { state, effects } = run(inTrial, failing(kind, NEW, TRAP), { kind: "restored" });
    t.deepEqual(effects, [
      "stop 1.1.0",
      "restore-data",
      "start 1.0.0",
      "emit rolled-back 1.1.0 trial/trap",
      "clean-up",
    ]);
    t.is(state.committed, OLD);
    t.is(state.failed?.code, "trial/trap");
  });
}

test("a first version that fails leaves the module idle", (t) => {
  const { state, effects } = run(INITIAL_STATE, ...untilTrial(NEW), failing("ended", NEW, TRAP), {
    kind: "restored",
  });
  t.deepEqual(effects.slice(-3), ["restore-data", "emit failed 1.1.0 trial/trap", "clean-up"]);
  t.is(state.phase.kind, "settled");
  t.is(state.committed, undefined);
});

test("a failed release is not tried again, until the director has asked for another", (t) => {
  const { state } = run(RUNNING_OLD, ...untilTrial(NEW), failing("ended", NEW, TRAP), { kind: "restored" });
  t.deepEqual(run(state, desired(NEW)).effects, []);
  t.deepEqual(run(state, RECOVER).effects.includes("fetch 1.1.0"), false);
  t.deepEqual(run(state, desired(OLD), desired(NEW)).effects, ["emit fetching 1.1.0", "fetch 1.1.0"]);
});

test("a release that the device's policy refused is checked again when the agent starts", (t) => {
  const refused = run(
    RUNNING_OLD,
    desired(NEW),
    about("fetched", NEW),
    failing("verify-failed", NEW, NOT_GRANTED),
  );
  t.deepEqual(refused.effects.slice(-2), ["emit refused 1.1.0 stage/import-not-granted", "clean-up"]);
  t.is(refused.state.serving.kind, "up");
  t.true(run({ ...refused.state, serving: { kind: "down" } }, RECOVER).effects.includes("fetch 1.1.0"));
});

test("a fetch that times out is tried again, later each time, while the old version runs", (t) => {
  const first = step(run(RUNNING_OLD, desired(NEW)).state, failing("fetch-failed", NEW, TIMEOUT), 0);
  const again = run(first.state, { kind: "retry-due" });
  t.deepEqual(again.effects, ["fetch 1.1.0"]);
  const second = step(again.state, failing("fetch-failed", NEW, TIMEOUT), 0);
  const delays = [first, second].map(({ effects }) =>
    effects.find((effect) => effect.kind === "schedule-retry"),
  );
  t.true((delays[0]?.delayMs ?? 0) < (delays[1]?.delayMs ?? 0));
  t.is(second.state.serving.kind, "up");
});

test("the agent's death in a trial counts as a start; after the last one it rolls back", (t) => {
  let { state } = run(RUNNING_OLD, ...untilTrial(NEW));
  for (let starts = 2; starts <= MAX_TRIAL_STARTS; starts++) {
    const recovered = run(state, RECOVER, about("prepared", NEW));
    t.deepEqual(recovered.effects, ["snapshot-data", "emit trial 1.1.0", "try 1.1.0"]);
    state = recovered.state;
    t.like(state.phase, { kind: "trial", starts });
  }
  const { effects } = run(state, RECOVER, { kind: "restored" });
  t.deepEqual(effects, [
    "stop 1.1.0",
    "restore-data",
    "start 1.0.0",
    "emit rolled-back 1.1.0 trial/crashed-agent",
    "clean-up",
  ]);
});

test("a start that an orderly end of the agent cuts short is not counted", (t) => {
  const { state } = run(RUNNING_OLD, ...untilTrial(NEW), { kind: "stopping" });
  t.like(state.phase, { kind: "trial", starts: 0 });
});

test("a trial's start and a commit must be durable first", (t) => {
  const staged = run(RUNNING_OLD, desired(NEW), about("fetched", NEW), about("verified", NEW)).state;
  const trial = step(staged, about("prepared", NEW), 0);
  t.true(trial.mustPersist);
  t.true(step(trial.state, about("healthy", NEW), 0).mustPersist);
});

test("without a durable count there is no trial: the old version starts again", (t) => {
  const staged = run(RUNNING_OLD, desired(NEW), about("fetched", NEW), about("verified", NEW)).state;
  const { state, effects } = run(staged, { kind: "not-durable", failure: NO_SPACE });
  t.deepEqual(effects, [
    "emit refused 1.1.0 store/disk-full",
    "schedule-retry",
    "discard-snapshot",
    "start 1.0.0",
  ]);
  t.like(state.phase, { kind: "fetching", waiting: true });
});

test("a disk that stays full interrupts the old version less and less often", (t) => {
  let { state } = run(RUNNING_OLD, desired(NEW));
  const delays: number[] = [];
  for (let count = 0; count < 3; count++) {
    state = run(state, about("fetched", NEW), about("verified", NEW)).state;
    const refused = step(state, failing("prepare-failed", NEW, NO_SPACE), 0);
    delays.push(
      ...refused.effects.flatMap((effect) => (effect.kind === "schedule-retry" ? [effect.delayMs] : [])),
    );
    state = run(refused.state, { kind: "retry-due" }).state;
  }
  t.deepEqual(delays, [5_000, 10_000, 20_000]);
});

test("what is committed starts after the delay where the agent keeps dying, and is replaced meanwhile", (t) => {
  const state: InstallState = { ...RUNNING_OLD, serving: { kind: "down" } };
  const recovered = run(state, { kind: "recover", startDelayMs: 60_000 });
  t.deepEqual(recovered.effects, ["discard-snapshot", "schedule-restart"]);
  t.deepEqual(run(recovered.state, { kind: "restart-due" }).effects, ["start 1.0.0"]);
  t.deepEqual(run(recovered.state, RESTART_ASKED).effects.at(-1), "start 1.0.0");
  const replaced = run(recovered.state, ...untilTrial(NEW), about("healthy", NEW), { kind: "restart-due" });
  t.false(replaced.effects.includes("start 1.0.0"));
  t.is(replaced.state.committed, NEW);
});

test("a commit that can't be written is tried again while the new version runs", (t) => {
  const inTrial = run(RUNNING_OLD, ...untilTrial(NEW)).state;
  const { state, effects } = run(inTrial, { kind: "not-durable", failure: NO_SPACE });
  t.deepEqual(effects, ["emit trial 1.1.0 store/disk-full", "schedule-retry"]);
  t.deepEqual(
    run(state, { kind: "not-durable", failure: NO_SPACE }).effects,
    ["schedule-retry"],
    "told once",
  );
  t.is(run(state, { kind: "retry-due" }).state.committed, NEW);
});

test("another release asked for during a fetch takes its place", (t) => {
  const { effects } = run(RUNNING_OLD, desired(NEW), desired(THIRD), about("fetched", NEW));
  t.deepEqual(effects.slice(2), ["cancel-fetch", "emit fetching 1.2.0", "fetch 1.2.0"]);
});

test("another release asked for before the trial begins calls the trial off", (t) => {
  const staged = run(RUNNING_OLD, desired(NEW), about("fetched", NEW), about("verified", NEW)).state;
  const { effects } = run(staged, desired(THIRD), about("prepared", NEW));
  t.deepEqual(effects, ["discard-snapshot", "start 1.0.0", "emit fetching 1.2.0", "fetch 1.2.0"]);
});

test("another release asked for during a trial waits for its end", (t) => {
  const inTrial = run(RUNNING_OLD, ...untilTrial(NEW)).state;
  const { effects } = run(inTrial, desired(THIRD), about("healthy", NEW));
  t.deepEqual(effects, [
    "emit committed 1.1.0",
    "discard-snapshot",
    "clean-up",
    "emit fetching 1.2.0",
    "fetch 1.2.0",
  ]);
});

test("the version before, asked for during a trial, ends it at once and marks nothing as failed", (t) => {
  const inTrial = run(RUNNING_OLD, ...untilTrial(NEW)).state;
  const { state, effects } = run(inTrial, desired(OLD), { kind: "restored" });
  t.deepEqual(effects, ["stop 1.1.0", "restore-data", "start 1.0.0", "emit rolled-back 1.1.0", "clean-up"]);
  t.is(state.failed, undefined);
});

test("a committed version that traps is started again with back-off and never rolled back", (t) => {
  let state = run(RUNNING_OLD, ...untilTrial(NEW), about("healthy", NEW)).state;
  const delays: number[] = [];
  for (let count = 0; count < 12; count++) {
    const ended = step(state, failing("ended", NEW, TRAP), 0);
    t.true(ended.effects.map(describe).includes("emit stopped 1.1.0 trial/trap"));
    delays.push(
      ...ended.effects.flatMap((effect) => (effect.kind === "schedule-restart" ? [effect.delayMs] : [])),
    );
    state = run(ended.state, { kind: "restart-due" }).state;
    t.is(state.committed, NEW);
    t.is(state.serving.kind, "up");
  }
  t.deepEqual(delays.slice(0, 3), [1_000, 2_000, 4_000]);
  t.is(delays.at(-1), RESTART_DELAY_MAX_MS);
});

test("a version that ran long before it ended starts again after the shortest delay", (t) => {
  const state: InstallState = { ...RUNNING_OLD, serving: { kind: "up", sinceMs: 0, restarts: 9 } };
  const { effects } = step(state, failing("ended", OLD, TRAP), STABLE_RUN_MS);
  t.deepEqual(
    effects.find((effect) => effect.kind === "schedule-restart"),
    { kind: "schedule-restart", delayMs: 1_000 },
  );
});

test("a restart that the operator asks for stops and starts what is committed, and nothing else", (t) => {
  const { effects } = run(RUNNING_OLD, { kind: "restart-asked" });
  t.deepEqual(effects, ["stop 1.0.0", "emit stopped 1.0.0", "start 1.0.0"]);
  t.deepEqual(run(run(RUNNING_OLD, ...untilTrial(NEW)).state, { kind: "restart-asked" }).effects, []);
});

test("what nobody assigns any more goes on running, and its update is called off", (t) => {
  const { state, effects } = run(RUNNING_OLD, desired(NEW), { kind: "desired", release: undefined });
  t.is(effects.at(-1), "cancel-fetch");
  t.is(state.serving.kind, "up");
  const recovered = run({ ...state, serving: { kind: "down" } }, RECOVER);
  t.deepEqual(recovered.effects, ["discard-snapshot", "start 1.0.0"]);
});

const POWER_CUT = new Error("power cut");

/** A device with one module: runs effects as the installer does, with outcomes, crashes and full disks drawn at random. */
class Device {
  readonly #t: ExecutionContext;
  state: InstallState = INITIAL_STATE;
  durable: InstallState = INITIAL_STATE;
  readonly running = new Set<string>();
  snapshot = false;
  diskFull = false;
  /** The power goes after this many more effects. */
  effectsUntilCut: number | undefined;
  readonly queue: InstallEvent[] = [];
  fetching: ReleaseRecord | undefined;
  readonly timers = new Set<"retry-due" | "restart-due">();
  /** Failed last by its own fault, if the director has not asked for another since; a full disk forgets it in a power cut. */
  #failed: { readonly id: string; readonly written: boolean } | undefined;
  #provenHealthy: string | undefined;
  /** The next staging check, or the next copy of the data, ends like this. */
  nextCheck: Failure | undefined;
  nextCopy: Failure | undefined;
  /** Passed its staging check in this life of the agent or an earlier one. */
  readonly #verified = new Set<string>();
  /** Refused by the staging check: not tried again until the agent starts anew or the director asks for another. */
  #refused: string | undefined;

  constructor(t: ExecutionContext) {
    this.#t = t;
  }

  dispatch(event: InstallEvent): void {
    this.queue.push(event);
    try {
      for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
        this.#process(next);
      }
    } catch (error) {
      if (error !== POWER_CUT) throw error;
      this.restart(false);
    }
  }

  ask(release: ReleaseRecord | undefined): void {
    if (release !== undefined && releaseId(release) !== this.#failed?.id) this.#failed = undefined;
    if (release !== undefined && releaseId(release) !== this.#refused) this.#refused = undefined;
    this.dispatch({ kind: "desired", release });
  }

  finishFetch(failure?: Failure): void {
    const release = this.fetching;
    if (release === undefined) return;
    this.fetching = undefined;
    const id = releaseId(release);
    this.dispatch(failure === undefined ? { kind: "fetched", id } : { kind: "fetch-failed", id, failure });
  }

  endTrial(healthy: boolean): void {
    const { phase } = this.state;
    if (phase.kind !== "trial" || phase.healthy) return;
    const id = releaseId(phase.release);
    if (healthy) this.#provenHealthy = id;
    else this.#fail(id);
    this.dispatch(healthy ? { kind: "healthy", id } : { kind: "unhealthy", id, failure: TRAP });
  }

  trap(): void {
    const [id] = this.running;
    if (id === undefined) return;
    this.running.delete(id);
    if (this.state.phase.kind === "trial") this.#fail(id);
    this.dispatch({ kind: "ended", id, failure: TRAP });
  }

  /** The running version's start found its files spoiled. */
  spoil(): void {
    const { committed, phase } = this.state;
    if (committed === undefined || phase.kind === "trial" || !this.running.delete(releaseId(committed)))
      return;
    this.dispatch({ kind: "ended", id: releaseId(committed), failure: SPOILED });
  }

  fire(timer: "retry-due" | "restart-due"): void {
    if (this.timers.delete(timer)) this.dispatch({ kind: timer });
  }

  restart(orderly: boolean): void {
    if (orderly) this.dispatch({ kind: "stopping" });
    this.running.clear();
    this.queue.length = 0;
    if (this.#failed?.written === false) this.#failed = undefined;
    this.effectsUntilCut = undefined;
    this.timers.clear();
    this.fetching = undefined;
    this.#refused = undefined;
    this.state = { ...structuredClone(this.durable), serving: { kind: "down" } };
    this.dispatch(RECOVER);
  }

  /** Lets everything under way come to its end. */
  settle(): void {
    this.diskFull = false;
    this.effectsUntilCut = undefined;
    this.nextCheck = undefined;
    this.nextCopy = undefined;
    for (let rounds = 0; rounds < 20; rounds++) {
      this.finishFetch();
      this.endTrial(true);
      this.fire("retry-due");
      this.fire("restart-due");
    }
  }

  #fail(id: string): void {
    const { desired } = this.state;
    const isStillAsked = desired !== undefined && releaseId(desired) === id;
    this.#failed = isStillAsked ? { id, written: !this.diskFull } : undefined;
  }

  #endCheck(id: string): void {
    const failure = this.nextCheck;
    this.nextCheck = undefined;
    if (failure === undefined) this.#verified.add(id);
    else this.#refused = id;
    this.queue.push(
      failure === undefined ? { kind: "verified", id } : { kind: "verify-failed", id, failure },
    );
  }

  #endCopy(id: string): void {
    const failure = this.nextCopy;
    this.nextCopy = undefined;
    this.snapshot ||= failure === undefined;
    this.queue.push(
      failure === undefined ? { kind: "prepared", id } : { kind: "prepare-failed", id, failure },
    );
  }

  #process(event: InstallEvent): void {
    const next = step(this.state, event, 0);
    if (this.diskFull && next.mustPersist) {
      this.#process({ kind: "not-durable", failure: NO_SPACE });
      return;
    }
    const before = this.state;
    this.state = next.state;
    if (!this.diskFull) this.durable = next.state;
    for (const effect of next.effects) {
      this.#perform(effect, before);
    }
  }

  #perform(effect: InstallEffect, before: InstallState): void {
    const t = this.#t;
    if (this.effectsUntilCut !== undefined && this.effectsUntilCut-- === 0) throw POWER_CUT;
    switch (effect.kind) {
      case "fetch":
        t.is(this.fetching, undefined, "one fetch at a time");
        t.not(this.#failed?.id, releaseId(effect.release), "a failed release is not tried again");
        t.not(this.#refused, releaseId(effect.release), "nor is a refused one");
        this.fetching = effect.release;
        return;
      case "cancel-fetch":
        this.fetching = undefined;
        return;
      case "verify":
        this.#endCheck(releaseId(effect.release));
        return;
      case "snapshot-data":
        t.is(this.running.size, 0, "data is copied while nothing runs");
        this.#endCopy(releaseId(effect.release));
        return;
      case "restore-data":
        t.is(this.running.size, 0, "data is restored while nothing runs");
        this.snapshot = false;
        this.queue.push({ kind: "restored" });
        return;
      case "discard-snapshot":
        this.snapshot = false;
        return;
      case "stop":
        this.running.delete(releaseId(effect.release));
        return;
      case "start":
        t.is(this.running.size, 0, "never two versions");
        t.true(this.#verified.has(releaseId(effect.release)), "nothing runs that was not checked");
        if (effect.trial) {
          const { phase } = this.durable;
          t.true(phase.kind === "trial" && phase.starts >= 1 && phase.starts <= MAX_TRIAL_STARTS);
          t.true(this.snapshot, "a trial has a copy of the data to go back to");
        }
        this.running.add(releaseId(effect.release));
        return;
      case "schedule-retry":
        this.timers.add("retry-due");
        return;
      case "schedule-restart":
        this.timers.add("restart-due");
        return;
      case "emit":
        if (effect.event === "committed") {
          t.is(this.#provenHealthy, releaseId(effect.release), "committed follows healthy");
          t.is(before.phase.kind, "trial");
          t.deepEqual(this.durable.committed, effect.release, "and a durable write");
        }
        if (effect.event === "rolled-back") {
          t.is(before.phase.kind, "rolling-back");
          t.deepEqual([...this.running], [releaseId(committedOf(before))], "the version before runs again");
          t.is(effect.to, committedOf(before).version);
        }
        return;
      case "clean-up":
        return;
    }
  }
}

function committedOf({ committed }: InstallState): ReleaseRecord {
  if (committed === undefined) throw new Error("nothing is committed");
  return committed;
}

type Action = (device: Device) => void;

const ACTION: fc.Arbitrary<readonly [string, Action]> = fc.oneof(
  ...[OLD, NEW, THIRD, undefined].map((release) =>
    fc.constant([`ask ${release?.version}`, (device: Device) => device.ask(release)] as const),
  ),
  ...[0, 1, 2, 3].map((effects) =>
    fc.constant([
      `power cut after ${effects} effects`,
      (device: Device) => {
        device.effectsUntilCut = effects;
      },
    ] as const),
  ),
  ...(
    [
      ["fetched", (device) => device.finishFetch()],
      ["fetched ", (device) => device.finishFetch()],
      ["fetch timeout", (device) => device.finishFetch(TIMEOUT)],
      ["healthy", (device) => device.endTrial(true)],
      ["unhealthy", (device) => device.endTrial(false)],
      ["trap", (device) => device.trap()],
      ["spoiled", (device) => device.spoil()],
      ["retry", (device) => device.fire("retry-due")],
      ["restart", (device) => device.fire("restart-due")],
      [
        "refused",
        (device) => {
          device.nextCheck = NOT_GRANTED;
        },
      ],
      [
        "copy fails",
        (device) => {
          device.nextCopy = NO_SPACE;
        },
      ],
      ["restart asked", (device) => device.dispatch({ kind: "restart-asked" })],
      ["power cut", (device) => device.restart(false)],
      ["agent restart", (device) => device.restart(true)],
      [
        "disk",
        (device) => {
          device.diskFull = !device.diskFull;
        },
      ],
    ] as const satisfies readonly (readonly [string, Action])[]
  ).map((action) => fc.constant(action)),
);

test("property, whatever happens: one version at a time, only what was checked, committed only when healthy, what failed stays away, a rollback ends with the version before, something runs at the end", (t) => {
  fc.assert(
    fc.property(fc.array(ACTION, { maxLength: 60, size: "max" }), (actions) => {
      const device = new Device(t);
      device.dispatch(RECOVER);
      for (const [, act] of actions) {
        act(device);
      }
      device.settle();
      const { committed } = device.state;
      t.deepEqual([...device.running], committed === undefined ? [] : [releaseId(committed)]);
      t.is(device.state.phase.kind, "settled");
    }),
    { numRuns: 2_000 },
  );
});
