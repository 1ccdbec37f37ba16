/**
 * Watches the metadata topics: collects what arrives, lets `ota` judge it, keeps what became trusted, and says what the device
 * should run.
 *
 * The judging is pure (ota/trusted-repository.ts, ota/selection.ts); here are its inputs and its consequences:
 *
 * - Topics have no order, and a broker may send an old retained message after a new live one. So an evaluation waits until no more
 *   arrives for a moment, but not longer than METADATA_SETTLE_MAX_MS: a flood must not keep anything from being judged. What does
 *   not fit then has a grace period to become whole, after which the broker is asked to send everything once more; what does not fit
 *   after another one is reported. The same bytes again change nothing about that: the broker is not asked for ever. Who sends forged metadata
 *   without end, each otherwise, is left waiting after a while.
 * - A delegated role that nothing led to before is asked for at once: only signed metadata can name one.
 * - What is newly trusted is on the disk before anything is done by it.
 * - Selections are made only while both repositories hold against the time of this run: a device that hears nothing goes on
 *   with what it runs.
 */
import type { DeviceIdentity } from "../ota/assignment.ts";
import { OtaError } from "../ota/errors.ts";
import type { RepositoryName } from "../ota/metadata.ts";
import type { CommittedRelease, Selection } from "../ota/selection.ts";
import type { SignatureVerifier } from "../ota/signature.ts";
import { changeOf, type TrustChange } from "../ota/stored-trust.ts";
import {
  NOTHING_RECEIVED,
  parseMetadataTopic,
  type ReceivedMetadata,
  receiveMetadata,
  retainDelegated,
  type TrustedRepository,
} from "../ota/trust-state.ts";
import { verifyRepository } from "../ota/trusted-repository.ts";
import { highWaterMarkMs } from "../ota/trusted-time.ts";
import { messageOf } from "./errors.ts";
import {
  METADATA_GRACE_MS,
  METADATA_RECHECK_MS,
  METADATA_RETRY_MS,
  METADATA_SETTLE_MAX_MS,
  METADATA_SETTLE_MS,
} from "./limits.ts";
import { MetadataRefusals, withClaims } from "./metadata-refusals.ts";
import { ReleaseChoice } from "./release-choice.ts";
import { Settling } from "./settling.ts";
import { BUILT_MS } from "./version.ts";

export interface TrustWatchOptions {
  /** What the device trusts at its start. */
  readonly trusted: Readonly<Record<RepositoryName, TrustedRepository>>;
  readonly verifier: SignatureVerifier;
  readonly device: DeviceIdentity;
  /** The time in milliseconds since 1970, given the latest signed one in the same (ota/trusted-time.ts). */
  readonly now: (markMs: number) => number;
  /** Makes what became trusted durable; the update goes on when it is. */
  readonly save: (repository: RepositoryName, change: TrustChange) => Promise<void>;
  /** What is committed, by module: no older release is selected. */
  readonly committed: () => ReadonlyMap<string, CommittedRelease>;
  /** Makes the broker send the retained metadata once more. */
  readonly requestAgain: () => void;
  /** Called with every module that the director assigns to this device, whenever the metadata was found to hold. */
  readonly onSelections: (selections: ReadonlyMap<string, Selection>) => void;
  /** Metadata was refused; what was trusted stays. Called once for the same bytes. */
  readonly onRefused: (error: OtaError) => void;
  /** How long what does not fit may take to become whole, in milliseconds; METADATA_GRACE_MS unless said. */
  readonly graceMs?: number;
  /** The disk failed; told once for the same failure, and tried again. */
  readonly onProblem: (error: unknown) => void;
}

interface Watched {
  trusted: TrustedRepository;
  received: ReceivedMetadata;
  /** Whether anything came, whatever it was. */
  isHeard: boolean;
  /** Whether the trusted set was found to hold since the agent started. */
  holds: boolean;
}

type ReceivedByRepository = Readonly<Record<RepositoryName, ReceivedMetadata>>;

const REPOSITORIES = ["image", "director"] as const;

export class TrustWatch {
  readonly #options: TrustWatchOptions;
  readonly #watched: Record<RepositoryName, Watched>;
  readonly #settling = new Settling(METADATA_SETTLE_MS, METADATA_SETTLE_MAX_MS, () => this.#settled());
  /** An evaluation that has not begun, and whether it is one after a grace period. */
  #queued: { graceIsOver: boolean } | undefined;
  /** Metadata does not fit, and the broker was asked to send it once more. */
  #askedAgain = false;
  #graceTimer: NodeJS.Timeout | undefined;
  /** What did not fit after all that waiting, and was reported: the same does not start it again. */
  #concluded: ReceivedByRepository | undefined;
  /** The failure of the last evaluation, and the next attempt. */
  #problem: string | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  readonly #choice: ReleaseChoice;
  readonly #refusals: MetadataRefusals;
  /** Until then nothing that arrives is looked at: too much of it had to be refused. */
  #pausedUntilMs = 0;
  #pauseTimer: NodeJS.Timeout | undefined;
  readonly #recheckTimer: NodeJS.Timeout;

  constructor(options: TrustWatchOptions) {
    this.#options = options;
    this.#choice = new ReleaseChoice(options);
    this.#refusals = new MetadataRefusals(options.onRefused);
    const watch = (trusted: TrustedRepository): Watched => ({
      trusted,
      received: NOTHING_RECEIVED,
      isHeard: false,
      holds: false,
    });
    this.#watched = { image: watch(options.trusted.image), director: watch(options.trusted.director) };
    // Whoever holds the newer metadata back sends nothing: its expiry is noticed without a message.
    this.#recheckTimer = setInterval(() => {
      this.#concluded = undefined;
      this.#enqueue(false);
    }, METADATA_RECHECK_MS).unref();
  }

  /** Takes a message; `name` is the topic's last level (`timestamp`, `2.root` …), `payload` is kept. */
  receive(repository: RepositoryName, name: string, payload: Uint8Array): void {
    const topic = parseMetadataTopic(name);
    if (topic === undefined || this.#stopped) return;
    const watched = this.#watched[repository];
    const interest = { root: watched.trusted.root.metadata, delegatedRoles: this.#neededRolesOf(repository) };
    watched.received = receiveMetadata(watched.received, topic, payload, interest);
    watched.isHeard = true;
    this.#settling.touch();
  }

  /** Resolves when nothing more will be called. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#settling.cancel();
    clearTimeout(this.#graceTimer);
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#pauseTimer);
    clearInterval(this.#recheckTimer);
    await this.#running;
  }

  /** A director delegates nothing. */
  #neededRolesOf(repository: RepositoryName): ReadonlySet<string> | undefined {
    return repository === "director" ? NO_ROLES : this.#choice.neededRoles;
  }

  /** TUF 1.0.31 §5.1: fixed for an evaluation, but for a new root, whose keys decide anew what time was signed. */
  #time(): number {
    const { image, director } = this.#watched;
    const issuedMs = [image, director].map(({ trusted }) => trusted.timestamp?.metadata.issuedMs);
    return this.#options.now(highWaterMarkMs(BUILT_MS, issuedMs));
  }

  #settled(): void {
    const waitMs = this.#pausedUntilMs - performance.now();
    if (waitMs <= 0) {
      this.#enqueue(false);
      return;
    }
    this.#pauseTimer ??= setTimeout(() => {
      this.#pauseTimer = undefined;
      this.#enqueue(false);
    }, waitMs).unref();
  }

  #enqueue(graceIsOver: boolean): void {
    if (this.#queued !== undefined) {
      this.#queued.graceIsOver ||= graceIsOver;
      return;
    }
    const queued = { graceIsOver };
    this.#queued = queued;
    this.#running = this.#running.then(async () => {
      this.#queued = undefined;
      try {
        await this.#evaluate(queued.graceIsOver);
        this.#problem = undefined;
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  /** The disk may have room again before another message comes. */
  #fail(error: unknown): void {
    const problem = messageOf(error);
    if (problem !== this.#problem) this.#options.onProblem(error);
    this.#problem = problem;
    clearTimeout(this.#retryTimer);
    if (!this.#stopped) this.#retryTimer = setTimeout(() => this.#enqueue(false), METADATA_RETRY_MS).unref();
  }

  async #evaluate(graceIsOver: boolean): Promise<void> {
    if (this.#stopped) return;
    const { image, director } = this.#watched;
    const received = { image: image.received, director: director.received };
    const undecided: OtaError[] = [];
    const nowMs = this.#time();
    for (const repository of REPOSITORIES) {
      const error = await this.#update(this.#watched[repository], nowMs);
      if (error !== undefined) undecided.push(error);
    }
    const chosen = this.#choose(this.#time());
    const needsMore = chosen !== undefined && this.#choice.lacksNewRole;
    const isLast =
      !needsMore && ((graceIsOver && this.#askedAgain) || isSameMetadata(this.#concluded, received));
    const unvouched = chosen !== undefined && this.#select(chosen, isLast);
    if (isLast || (undecided.length === 0 && !unvouched)) {
      for (const error of undecided) this.#refuse(error);
      this.#concluded = isLast ? received : undefined;
      const { neededRoles } = this.#choice;
      if (!isLast && neededRoles !== undefined) {
        image.received = retainDelegated(image.received, neededRoles);
      }
      this.#askedAgain = false;
      clearTimeout(this.#graceTimer);
      this.#graceTimer = undefined;
      return;
    }
    if (graceIsOver) this.#askedAgain = true;
    if (graceIsOver || needsMore) this.#options.requestAgain();
    this.#graceTimer ??= setTimeout(() => {
      this.#graceTimer = undefined;
      this.#enqueue(true);
    }, this.#options.graceMs ?? METADATA_GRACE_MS);
  }

  /** Takes what became trusted; gives the error to report if what is incomplete stays so. */
  async #update(watched: Watched, startMs: number): Promise<OtaError | undefined> {
    const { repository } = watched.trusted;
    const other = this.#watched[repository === "image" ? "director" : "image"];
    if (!watched.isHeard) return undefined;
    let nowMs = startMs;
    try {
      for (;;) {
        const { verifier } = this.#options;
        const foreignRoot = other.trusted.root.metadata;
        const verdict = verifyRepository(watched.trusted, watched.received, nowMs, verifier, foreignRoot);
        if (verdict.kind === "incomplete")
          return withClaims(verdict.error, watched.trusted, watched.received);
        watched.holds = true;
        if (verdict.kind === "current") {
          this.#refusals.clear(repository);
          return undefined;
        }
        const change = changeOf(watched.trusted, verdict);
        await this.#options.save(repository, change);
        watched.trusted = verdict.trusted;
        if (change.kind === "root") {
          nowMs = this.#time();
          // The other repository was perhaps judged by a time that a key signed which is revoked now.
          if (nowMs < startMs) this.#enqueue(false);
        }
      }
    } catch (error) {
      if (!(error instanceof OtaError) || error.code.startsWith("store/")) throw error;
      // A broker's old message after a new one looks like it, until everything was sent once more.
      if (error.code === "trust/rollback-attack") return error;
      this.#refuse(withClaims(error, watched.trusted, watched.received));
      return undefined;
    }
  }

  /** What to run; undefined while that can't be told. */
  #choose(nowMs: number): ReadonlyMap<string, Selection> | undefined {
    const { image, director } = this.#watched;
    if (!image.holds || !director.holds) return undefined;
    return this.#choice.choose(image.trusted, director.trusted, image.received.delegated, nowMs);
  }

  /** Says what to run; true if a refusal may still vanish when the image repository's part arrives. */
  #select(chosen: ReadonlyMap<string, Selection>, isLast: boolean): boolean {
    const selections = new Map(chosen);
    let isAwaiting = false;
    if (!isLast) {
      for (const [module, selection] of selections) {
        if (selection.kind === "refused" && selection.isAwaiting) {
          selections.delete(module);
          isAwaiting = true;
        }
      }
    }
    this.#options.onSelections(selections);
    return isAwaiting;
  }

  #refuse(error: OtaError): void {
    const pauseMs = this.#refusals.refuse(error);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, performance.now() + pauseMs);
  }
}

const NO_ROLES: ReadonlySet<string> = new Set();

/** By identity: `receiveMetadata` gives the same object for the same bytes. */
function isSameMetadata(left: ReceivedByRepository | undefined, right: ReceivedByRepository): boolean {
  return left !== undefined && REPOSITORIES.every((repository) => left[repository] === right[repository]);
}
