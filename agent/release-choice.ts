/**
 * Which releases a device should run, from what it trusts: the searches through the image repository's delegations, and what they need.
 */

import type { DeviceIdentity } from "../ota/assignment.ts";
import { TargetSearch, VerifiedDelegations } from "../ota/resolve-target.ts";
import { type CommittedRelease, type Selection, selectReleases } from "../ota/selection.ts";
import type { SignatureVerifier } from "../ota/signature.ts";
import type { TrustedRepository } from "../ota/trust-state.ts";

export interface ReleaseChoiceOptions {
  readonly verifier: SignatureVerifier;
  readonly device: DeviceIdentity;
  /** What is committed, by module: no older release is selected. */
  readonly committed: () => ReadonlyMap<string, CommittedRelease>;
}

/** Chooses, and remembers which delegated roles that took and what was verified of them. */
export class ReleaseChoice {
  readonly #options: ReleaseChoiceOptions;
  readonly #verified = new VerifiedDelegations();
  #neededRoles: ReadonlySet<string> | undefined;
  #lacksNewRole = false;

  constructor(options: ReleaseChoiceOptions) {
    this.#options = options;
  }

  /** The delegated roles that this device's modules lead to; undefined before the first choice. */
  get neededRoles(): ReadonlySet<string> | undefined {
    return this.#neededRoles;
  }

  /**
   * Whether the last choice lacked a delegated role that nothing had led to before: its file was of no interest when it came, and does not come again
   * unasked. In a chain of delegations each role's file tells the next, so that as many requests as the chain is long find its end.
   */
  get lacksNewRole(): boolean {
    return this.#lacksNewRole;
  }

  /** The releases by module; undefined while one of the repositories is not trusted whole and unexpired. `delegated` is what arrived. */
  choose(
    image: TrustedRepository,
    director: TrustedRepository,
    delegated: ReadonlyMap<string, Uint8Array>,
    nowMs: number,
  ): ReadonlyMap<string, Selection> | undefined {
    if (!isFresh(image, nowMs) || !isFresh(director, nowMs)) return undefined;
    const { verifier, device, committed } = this.#options;
    const { targets, snapshot } = image;
    if (targets === undefined || snapshot === undefined || director.targets === undefined) return undefined;
    const search = new TargetSearch({
      targets: targets.metadata,
      snapshot: snapshot.metadata,
      delegated,
      nowMs,
      verifier,
      hardware: device.hardware,
      verified: this.#verified,
      neededBefore: this.#neededRoles,
    });
    const selections = selectReleases({
      image: search,
      director: director.targets.metadata,
      device,
      committed: committed(),
    });
    const newRoles = search.neededRoles.difference(this.#neededRoles ?? search.neededRoles);
    this.#lacksNewRole = [...newRoles].some((role) => !delegated.has(role));
    this.#neededRoles = search.neededRoles;
    this.#verified.retain(search.neededRoles);
    return selections;
  }
}

/** TUF 1.0.31 §5.4.4, §5.5.6, §5.6.6: nothing is installed by what has expired, whatever else lies on the topics. */
function isFresh(trusted: TrustedRepository, nowMs: number): boolean {
  const { root, timestamp, snapshot, targets } = trusted;
  return [root, timestamp, snapshot, targets].every((file) => (file?.metadata.expiresMs ?? 0) > nowMs);
}
