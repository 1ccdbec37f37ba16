/**
 * Why a module was not started, or how the host ended it, by code. One code per thing that somebody can do about it.
 *
 * What the loader refuses and how a guest traps has its own classes: `component/errors.ts`.
 */

/**
 * A limit that a module ran into. Beyond "memory" and "handles" a module that goes on is told by its own calls (a failed
 * `memory.grow`, an error code); "deadline" and "heap" end it; the others slow it down, or cost it messages.
 */
export type LimitCode =
  /** The component needs more linear memory, or more tables, than it was granted; or it has used all that it was granted. */
  | "limit/memory"
  /** A call (start, init, on-timer, on-message, health) took too long, or a command computed too long between host calls. */
  | "limit/deadline"
  /** Too many sensors and ports, or files and folders, open at a time. */
  | "limit/handles"
  /** The JavaScript heap of the module's worker ran full: handles or host objects without end. */
  | "limit/heap"
  /** More calls of the host's devices than granted per second: they wait; a reactor's call that waits for too long ends it. */
  | "limit/host-call-rate"
  /** More log lines, or bytes of them, than granted per second: they are dropped and counted. */
  | "limit/log-rate"
  /** More messages, or bytes of them, than granted per second: `publish` answers `rate-limited`. */
  | "limit/publish-rate"
  /** The private files would be more, larger together or deeper in each other than granted: the call fails with `quota`. */
  | "limit/storage"
  /** More was written to the private files than their share of the flash memory's wear: the calls wait; a reactor's call that waits for too long ends it. */
  | "limit/write-rate"
  /** More messages to the module than granted per second: they are dropped and counted. */
  | "limit/message-rate"
  /** More messages, or bytes of them, than may wait for the module: they are dropped and counted. */
  | "limit/message-queue"
  /** A message to the module whose payload or topic is too long: it is dropped and counted. */
  | "limit/message-size";

export type SandboxErrorCode =
  | LimitCode
  /** The component's file can't be read. */
  | "sandbox/component-unreadable"
  /** The loader refuses the component; `cause` or the message names the loader's code. */
  | "sandbox/component-refused"
  /** The component has more code than the policy grants it. */
  | "sandbox/code-exceeds-grant"
  /** The component imports something that its grants do not include. */
  | "sandbox/import-not-granted"
  /** The component imports something that this host does not have. */
  | "sandbox/import-unknown"
  /** The component imports a function of this host's with another type than the host's. */
  | "sandbox/import-type-mismatch"
  /** The component exports a function that the host calls with another type than the host's. */
  | "sandbox/export-type-mismatch"
  /** The component lacks an export that its world demands. */
  | "sandbox/export-missing"
  /** A reactor's `init` answered with an error. */
  | "sandbox/init-failed"
  /** A folder that the module was given is not there, or can't be opened. */
  | "sandbox/folder-unusable"
  /** The worker broke the channel's rules. */
  | "sandbox/channel-violation"
  /** The worker thread ended for a reason that is not the module's: a defect of the host, or no memory for a thread. */
  | "sandbox/worker-failed";

export class SandboxError extends Error {
  override readonly name = "SandboxError";
  readonly code: SandboxErrorCode;

  constructor(code: SandboxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
