/**
 * The attacker's toolkit: what somebody can put on the topics who has the broker, everything that was ever on it, and such keys as he
 * stole. What he signs is formally perfect.
 */

import type { RepositoryName, RoleName, TargetInfo } from "../../../ota/metadata.ts";
import type { Signer } from "../../../ota/signature.ts";
import {
  type MetadataSet,
  metadataSet,
  type SetOptions,
  testSigner,
} from "../../support/signed-repository.ts";
import type { Fleet } from "./fleet.ts";

type OnlineRole = Exclude<RoleName, "root">;

export class Attacker {
  readonly #fleet: Fleet;
  readonly #own: Signer;
  /** Signers of roles whose keys were stolen; for the others he has but his own key. */
  readonly #stolen = new Map<string, readonly Signer[]>();

  private constructor(fleet: Fleet, own: Signer) {
    this.#fleet = fleet;
    this.#own = own;
  }

  static async of(fleet: Fleet): Promise<Attacker> {
    return new Attacker(fleet, await testSigner("attacker"));
  }

  /** Gets hold of the keys of roles: all of each, or the first few. */
  steal(repository: RepositoryName, roles: readonly OnlineRole[], count = Number.POSITIVE_INFINITY): this {
    for (const role of roles) {
      this.#stolen.set(`${repository} ${role}`, this.#fleet.roles[repository][role].signers.slice(0, count));
    }
    return this;
  }

  /** Steals a repository's online keys, each of them. */
  stealAll(repository: RepositoryName): this {
    return this.steal(repository, ["timestamp", "snapshot", "targets"]);
  }

  /** The set with its signatures under the ids of the keys that should have made them. */
  passOff(repository: RepositoryName, set: MetadataSet): MetadataSet {
    const under = (role: OnlineRole): Uint8Array => {
      const [genuine] = this.#fleet.roles[repository][role].signers;
      const own = this.#own.key.keyId;
      return Buffer.from(
        Buffer.from(set[role])
          .toString()
          .replaceAll(own, genuine?.key.keyId ?? own),
      );
    };
    return { timestamp: under("timestamp"), snapshot: under("snapshot"), targets: under("targets") };
  }

  /** A whole set for the version after the operator's, `ahead` versions on. */
  forge(
    repository: RepositoryName,
    targets: readonly TargetInfo[],
    options: Omit<SetOptions, "targets" | "signedBy"> & { readonly ahead?: number } = {},
  ): Promise<MetadataSet> {
    const { ahead = 1, ...rest } = options;
    const signers = (role: OnlineRole) => this.#stolen.get(`${repository} ${role}`) ?? [this.#own];
    return metadataSet(this.#fleet.roles[repository], {
      version: this.#fleet.version(repository) + ahead,
      ...rest,
      targets,
      signedBy: {
        timestamp: signers("timestamp"),
        snapshot: signers("snapshot"),
        targets: signers("targets"),
      },
    });
  }
}
