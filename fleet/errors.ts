/** What the operator's side refuses, by code: one code per thing that the operator can do about it. */

export type FleetErrorCode =
  /** The command line is wrong (exit code 2). */
  | "fleet/usage"
  /** No skerry.toml in the folder or above it. */
  | "fleet/no-repository"
  /** Creating would overwrite a repository or a key. */
  | "fleet/exists"
  /** skerry.toml is wrong. */
  | "fleet/settings"
  /** A private key is missing, malformed or readable by others. */
  | "fleet/key"
  /** A key is encrypted and nobody can be asked for its passphrase. */
  | "fleet/passphrase-missing"
  /** The passphrase does not open the key. */
  | "fleet/passphrase-wrong"
  /** A person interrupted the command. */
  | "fleet/cancelled"
  /** A root that is being prepared: another version, not the repository's, or nothing to sign in it. */
  | "fleet/pending-root"
  /** Another process writes the repository folder. */
  | "fleet/locked"
  /** The folder's files do not fit together: an interrupted write, or somebody edited them. */
  | "fleet/repository-damaged"
  /** A team's file has a version so far ahead that none might be left for what follows. */
  | "fleet/version-jump"
  /** Metadata would outgrow one MQTT payload. */
  | "fleet/metadata-too-large"
  | "fleet/not-a-component"
  | "fleet/component-too-large"
  /** That version was published with other bytes, or was withdrawn. */
  | "fleet/version-exists"
  | "fleet/unknown-release"
  /** That release can't be unpublished: somebody runs it, or is to run it. */
  | "fleet/release-needed"
  /** No such role is delegated to, or it does not cover the module. */
  | "fleet/unknown-role"
  /** A file cannot be read or written. */
  | "fleet/io"
  | "fleet/broker-unreachable"
  /** The broker does not know this user, password or certificate. */
  | "fleet/broker-refused"
  /** The broker's certificate is not one that this machine trusts. */
  | "fleet/broker-tls"
  /** The broker's access control does not allow this topic. */
  | "fleet/broker-denied"
  /** The connection ended in the middle. */
  | "fleet/broker-lost"
  | "fleet/broker-timeout"
  /** A device, or the broker for it, says that a message did not reach its module, or the module refused it. */
  | "fleet/not-delivered"
  /** A device did not answer in time. */
  | "fleet/no-answer"
  /** The broker took messages and does not give them back. */
  | "fleet/broker-not-retaining"
  /** The broker holds newer metadata than the folder. */
  | "fleet/broker-newer";

/** A refusal on the operator's side. The message says what happened, to what, and what to do. */
export class FleetError<Code extends FleetErrorCode = FleetErrorCode> extends Error {
  override readonly name = "FleetError";
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
