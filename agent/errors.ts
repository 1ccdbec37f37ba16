/**
 * What the agent itself refuses or reports, by code: its configuration, its link to the broker, its own running. One code per
 * thing that somebody can do about it; the same code goes out in the device's event (docs/ARCHITECTURE.md, "Errors").
 */

/** device.toml is not usable. Somebody has to edit it, or a file that it names. */
export type ConfigErrorCode =
  /** The configuration file itself cannot be read. */
  | "config/unreadable"
  /** Not TOML. */
  | "config/malformed"
  /** A key that does not exist. */
  | "config/unknown-key"
  /** A key that has to be there is not. */
  | "config/missing-key"
  /** A value of the wrong type, range or form. */
  | "config/wrong-value"
  /** A file that a key names is not there. */
  | "config/file-missing"
  /** A file that a key names cannot be read, or a secret that everybody can read. */
  | "config/file-permission";

/** The link to the broker. All but the last five end a connection; the link then tries again by itself. */
export type LinkErrorCode =
  /** No TCP connection: no route, no such name, nobody listens. */
  | "link/unreachable"
  /** The TLS handshake failed: another authority, an expired certificate, another name. */
  | "link/tls"
  /** The password, key or certificate file cannot be read (any more). */
  | "link/credentials-unreadable"
  /** The broker speaks neither MQTT 5 nor 3.1.1. */
  | "link/protocol-version"
  /** The broker refused the user, password or certificate. */
  | "link/not-authorized"
  /** The broker refused the connection for another reason. */
  | "link/refused"
  /** No answer in time, while connecting or to a ping. */
  | "link/timeout"
  /** Another client connected with this device's id. */
  | "link/session-taken-over"
  /** The broker sent what MQTT does not allow. */
  | "link/protocol-error"
  /** The broker sent a packet over the bound; it was not read. */
  | "link/oversized-packet"
  /** The connection ended. */
  | "link/lost"
  /** The agent closed the link itself. */
  | "link/stopped"
  /** The broker's access control refused a subscription. */
  | "link/subscribe-refused"
  /** The broker's access control refused a message. */
  | "link/publish-refused"
  /** A message over the bound of a payload, ours or the broker's. */
  | "link/payload-too-large"
  /** A topic that this device may not write, or that is none. */
  | "link/topic-invalid"
  /** A handler of the agent's failed on a message that arrived: a defect of the agent. */
  | "link/handler-failed";

/** The agent as a whole. */
export type AgentOwnErrorCode =
  /** The agent could not start: the message says what was missing. */
  | "agent/start-failed"
  /** Another agent uses the same state folder. */
  | "agent/already-running"
  /** A defect of the agent: please report it. */
  | "agent/internal"
  /** The agent keeps dying soon after its start, perhaps by a module: they start later. */
  | "agent/crash-loop"
  /** A check, start or stop of a module hangs: the watchdog starts the agent anew. */
  | "agent/stuck"
  /** A message on the command topic that is no command. */
  | "agent/command-malformed"
  /** The module named in a command can't be restarted now. */
  | "agent/not-restartable"
  /** A message to a module that does not run, or may not be told it. */
  | "agent/message-undeliverable"
  /** A message that a limit of the module's dropped, or the module's end. */
  | "agent/message-dropped"
  /** The module answered a message with an error of its own. */
  | "agent/message-failed"
  /** A module that is run by hand requests what the policy file does not grant. */
  | "agent/not-granted";

export type AgentErrorCode = ConfigErrorCode | LinkErrorCode | AgentOwnErrorCode;

/** A refusal or failure of the agent itself. The message says what happened, to what, and what to do. */
export class AgentError<Code extends AgentErrorCode = AgentErrorCode> extends Error {
  override readonly name = "AgentError";
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
