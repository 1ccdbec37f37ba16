/**
 * The honest side of the attacks: an operator's two repositories in memory, signed as the product signs them, and the release history of
 * a module. What it signed is kept by version, since an attacker may have kept it, too.
 */

import type { JsonObject } from "../../../ota/json.ts";
import type { RepositoryName, TargetInfo } from "../../../ota/metadata.ts";
import { targetPath } from "../../../ota/names.ts";
import { targetInfo } from "../../../ota/sign-metadata.ts";
import { makeRelease, type TestRelease } from "../../support/releases.ts";
import {
  type MetadataSet,
  metadataSet,
  NOW_MS,
  type RepositorySigners,
  repositorySigners,
  rootFile,
  type SetOptions,
} from "../../support/signed-repository.ts";

export const DEVICE = "pi-01";
export const MODULE = "acme/thermo";

/** A release with its counter, and what the image repository says of it beside that. */
export interface PublishedRelease {
  readonly made: TestRelease;
  readonly release: number;
  readonly custom?: JsonObject;
}

/** Makes the next release of the module; `release` is its counter. */
export function releaseOf(
  version: string,
  release: number,
  options: {
    readonly custom?: JsonObject;
    readonly component?: string;
    readonly manifest?: string;
    readonly module?: string;
  } = {},
): PublishedRelease {
  const { custom, component, ...rest } = options;
  const bytes = component === undefined ? {} : { component: new TextEncoder().encode(component) };
  return {
    made: makeRelease(version, { ...rest, ...bytes }),
    release,
    ...(custom === undefined ? {} : { custom }),
  };
}

/** The image repository's three targets of a release. */
export function imageTargets({
  made: { release },
  release: counter,
  custom,
}: PublishedRelease): TargetInfo[] {
  const { module, version } = release;
  const skerry = { release: counter, ...custom };
  return [
    targetInfo(targetPath(module, version, "component.wasm"), release.component, { skerry }),
    targetInfo(targetPath(module, version, "component.chunks"), release.chunks),
    targetInfo(targetPath(module, version, "module.toml"), release.manifest),
  ];
}

/** The director's target that assigns a release, to the device under attack unless said. */
export function assigned({ made: { release } }: PublishedRelease, order = 1, device = DEVICE): TargetInfo {
  const path = targetPath(release.module, release.version, "component.wasm");
  return targetInfo(path, release.component, { skerry: { assignments: [{ order, device }] } });
}

export class Fleet {
  readonly roles: Record<RepositoryName, RepositorySigners>;
  /** What was signed, by repository and version. */
  readonly signed: Record<RepositoryName, Map<number, MetadataSet>> = {
    image: new Map(),
    director: new Map(),
  };
  readonly releases: PublishedRelease[] = [];
  readonly #versions: Record<RepositoryName, number> = { image: 0, director: 0 };

  private constructor(roles: Record<RepositoryName, RepositorySigners>) {
    this.roles = roles;
  }

  static async create(roles: Partial<Record<RepositoryName, RepositorySigners>> = {}): Promise<Fleet> {
    return new Fleet({
      image: roles.image ?? (await repositorySigners("image")),
      director: roles.director ?? (await repositorySigners("director")),
    });
  }

  /** The root that a device is provisioned with. */
  root(repository: RepositoryName): Promise<Uint8Array> {
    return rootFile(this.roles[repository]);
  }

  /** The newest version that the operator signed. */
  version(repository: RepositoryName): number {
    return this.#versions[repository];
  }

  /** Signs the next version of a repository with these targets. */
  async sign(
    repository: RepositoryName,
    targets: readonly TargetInfo[],
    options: Omit<SetOptions, "version" | "targets"> = {},
  ): Promise<MetadataSet> {
    this.#versions[repository] += 1;
    const version = this.#versions[repository];
    const set = await metadataSet(this.roles[repository], { issuedMs: NOW_MS, ...options, version, targets });
    this.signed[repository].set(version, set);
    return set;
  }

  /** Publishes a release: the image repository's next version. */
  publish(release: PublishedRelease): Promise<MetadataSet> {
    this.releases.push(release);
    return this.sign("image", this.releases.flatMap(imageTargets));
  }

  /** Assigns releases to the device: the director's next version. */
  assign(...releases: readonly PublishedRelease[]): Promise<MetadataSet> {
    return this.sign(
      "director",
      releases.map((release) => assigned(release, this.version("director") + 1)),
    );
  }

  /** A version that was signed before. */
  kept(repository: RepositoryName, version: number): MetadataSet {
    const set = this.signed[repository].get(version);
    if (set === undefined) throw new Error(`the ${repository} repository had no version ${version}`);
    return set;
  }
}
