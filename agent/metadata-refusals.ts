/**
 * Refusals of metadata: each told once, and what they may cost. Whoever writes to the broker can forge without end, each time otherwise.
 */

import { OtaError } from "../ota/errors.ts";
import type { RepositoryName } from "../ota/metadata.ts";
import { claimedComponents } from "../ota/metadata-checks.ts";
import { parseMetadata } from "../ota/parse-metadata.ts";
import type { ReceivedMetadata, TrustedRepository } from "../ota/trust-state.ts";
import { TokenBucket } from "../sandbox/token-bucket.ts";
import { REFUSED_EVALUATIONS_BURST, REFUSED_EVALUATIONS_PER_MINUTE } from "./limits.ts";

export class MetadataRefusals {
  readonly #onRefused: (error: OtaError) => void;
  /** What was last told of a repository. */
  readonly #told = new Map<RepositoryName, string>();
  readonly #budget = new TokenBucket(
    REFUSED_EVALUATIONS_PER_MINUTE / 60,
    REFUSED_EVALUATIONS_BURST,
    performance.now(),
  );

  constructor(onRefused: (error: OtaError) => void) {
    this.#onRefused = onRefused;
  }

  /** Tells of a refusal, unless it is the one that was told last; gives how long to leave new metadata alone, in milliseconds. */
  refuse(error: OtaError): number {
    const repository = error.details["repository"] === "director" ? "director" : "image";
    const text = `${error.code} ${error.message}`;
    if (this.#told.get(repository) !== text) {
      this.#told.set(repository, text);
      this.#onRefused(error);
    }
    return this.#budget.reserve(1, performance.now());
  }

  /** A repository is as it should be: the next refusal is a new one. */
  clear(repository: RepositoryName): void {
    this.#told.delete(repository);
  }
}

/**
 * Adds what forged metadata claims to bring, so that the event can name it: whoever forges a timestamp sends targets along.
 * The claims are syntax-checked and bounded, and nobody acts upon them.
 */
export function withClaims(
  error: OtaError,
  trusted: TrustedRepository,
  { targets }: ReceivedMetadata,
): OtaError {
  if (
    error.code !== "trust/signature-invalid" ||
    error.details["claims"] !== undefined ||
    targets === undefined
  ) {
    return error;
  }
  try {
    const forged = parseMetadata(trusted.repository, "targets", targets).metadata;
    const claims = claimedComponents(forged, trusted.targets?.metadata);
    const details = { ...error.details, claims };
    return new OtaError(error.code, error.message, { cause: error, details });
  } catch (failure) {
    // Targets that do not parse claim nothing.
    if (failure instanceof OtaError) return error;
    throw failure;
  }
}
