/**
 * What the OTA side refuses, by code. One code per thing that somebody can do about it; the same code goes out in the
 * device's event (docs/ARCHITECTURE.md, "Errors"). Attacks carry the names that TUF 1.0.31 and Uptane 2.1 give them.
 */

/** Metadata or its use was refused. What is trusted stays as it was. */
export type TrustErrorCode =
  /** Not the format: no JSON, duplicate keys, too deep, a wrong or missing member, a count over its bound. */
  | "trust/malformed"
  /** Written for a version of the specification, or with a feature, that this client does not have. */
  | "trust/unsupported"
  /** Fewer valid signatures of distinct keys of the role than its threshold asks for. */
  | "trust/signature-invalid"
  /** An older version than the one that is trusted already. */
  | "trust/rollback-attack"
  /** Expired: somebody may be holding newer metadata back. */
  | "trust/freeze-attack"
  /** Parts that were never valid together. */
  | "trust/mix-and-match-attack"
  /** Larger than the bound, or than the length that signed metadata states. */
  | "trust/endless-data-attack"
  /** Shorter than the signed length. */
  | "trust/length-mismatch"
  /** Other bytes than the signed digest names. */
  | "trust/hash-mismatch"
  /** Metadata of one role where another's belongs. */
  | "trust/wrong-role"
  /** Signed by the other repository's keys: image metadata under director's name, or the reverse. */
  | "trust/wrong-repository"
  /** A part that signed metadata names never came. */
  | "trust/incomplete"
  /** This device's modules lead to more delegated roles than it keeps the files of. */
  | "trust/too-many-roles"
  /** The release is for other hardware than this device. */
  | "trust/wrong-hardware"
  /** The director assigns what the image repository does not list with the same length and hashes. */
  | "trust/not-vouched"
  /** Another root was provisioned: what the former one led to is not trusted any more. A report, not a refusal. */
  | "trust/root-replaced"
  /** The director's assignments for this device contradict each other or the naming rules. */
  | "trust/bad-assignment";

/** A release's bytes did not arrive as signed. Trying again later may help. */
type DeliveryErrorCode =
  /** Nothing came for a while. */
  | "delivery/timeout"
  /** What came, came too slowly (Uptane's slow retrieval attack, or a line that carries nothing). */
  | "delivery/slow-retrieval"
  | "delivery/chunk-corrupt"
  | "delivery/chunk-list-malformed"
  | "delivery/too-large"
  | "delivery/length-mismatch"
  | "delivery/hash-mismatch"
  | "delivery/cancelled";

/** The module's manifest is not one. The author has to publish another version. */
type ManifestErrorCode =
  | "manifest/malformed"
  | "manifest/unknown-key"
  /** The manifest says another name or version than the release it came with. */
  | "manifest/mismatch";

/** The release was refused before a line of it ran. */
export type StageErrorCode =
  | "stage/not-a-component"
  | "stage/component-invalid"
  | "stage/import-not-granted"
  | "stage/import-unknown"
  | "stage/import-type-mismatch"
  | "stage/export-missing"
  | "stage/export-type-mismatch"
  | "stage/memory-exceeds-grant"
  /** Its component has more code than the policy grants it. */
  | "stage/code-exceeds-grant"
  | "stage/unsupported"
  /** The agent failed while it checked, which it should not: nothing is said about the release. */
  | "stage/internal";

/** The device's own disk. */
type StoreErrorCode =
  | "store/corrupt"
  | "store/newer-version"
  | "store/disk-full"
  /** A release would not fit into what versions may take on this device. */
  | "store/over-budget"
  | "store/io";

/** The release ran and did not hold: rolled back. */
type TrialErrorCode =
  | "trial/trap"
  | "trial/exited"
  | "trial/unhealthy"
  | "trial/crashed-agent"
  | "trial/limit"
  | "trial/start-failed";

export type OtaErrorCode =
  | TrustErrorCode
  | DeliveryErrorCode
  | ManifestErrorCode
  | StageErrorCode
  | StoreErrorCode
  | TrialErrorCode;

/** Facts that go with an error, small and plain enough for an event. */
export type OtaErrorDetails = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/**
 * A refusal on the OTA side. The message says what happened, to what, and what to do; `details` holds the same facts
 * for a program (`repository`, `role`, `version`, `module` …).
 */
export class OtaError<Code extends OtaErrorCode = OtaErrorCode> extends Error {
  override readonly name = "OtaError";
  readonly code: Code;
  readonly details: OtaErrorDetails;

  constructor(code: Code, message: string, options?: ErrorOptions & { details?: OtaErrorDetails }) {
    super(message, options);
    this.code = code;
    this.details = options?.details ?? {};
  }
}

/** What an error is if somebody causes it on purpose, in the words of TUF 1.0.31 §1.5.2 and Uptane 2.1 "Threats"; most are slips and broken lines. */
const ATTACKS: Readonly<Partial<Record<string, string>>> = {
  "trust/signature-invalid": "arbitrary software",
  "trust/not-vouched": "arbitrary software",
  "trust/wrong-role": "mix-and-match",
  "trust/wrong-repository": "mix-and-match",
  "trust/mix-and-match-attack": "mix-and-match",
  "trust/hash-mismatch": "mix-and-match",
  "trust/length-mismatch": "mix-and-match",
  "trust/rollback-attack": "rollback",
  "trust/freeze-attack": "freeze",
  "trust/endless-data-attack": "endless data",
  "trust/incomplete": "drop-request",
  "trust/wrong-hardware": "wrong software installation",
  "trust/bad-assignment": "wrong software installation",
  "manifest/mismatch": "wrong software installation",
  "delivery/timeout": "drop-request",
  "delivery/slow-retrieval": "slow retrieval",
  "delivery/chunk-corrupt": "arbitrary software",
  "delivery/hash-mismatch": "arbitrary software",
  "delivery/length-mismatch": "arbitrary software",
};

/** The attack that an error's code stands for, if it stands for one. */
export function attackOf(code: string): string | undefined {
  return Object.hasOwn(ATTACKS, code) ? ATTACKS[code] : undefined;
}
