/**
 * Sends what the outbox holds over the connection that there is, a window at a time; what was not acknowledged when a connection
 * ends is sent again over the next one.
 */

import type { Connection } from "./connection-types.ts";
import { AgentError, messageOf } from "./errors.ts";
import { type DroppedCounts, Outbox, type OutgoingMessage } from "./outbox.ts";

/** Bytes of a PUBLISH beside topic, payload and correlation data, at most: fixed header, lengths, packet identifier. */
const PUBLISH_OVERHEAD_BYTES = 32;

export class Sender {
  readonly #onProblem: (error: AgentError) => void;
  readonly #outbox = new Outbox();
  /** Taken from the outbox and not acknowledged yet, oldest first. */
  readonly #underWay = new Set<OutgoingMessage>();
  #connection: Connection | undefined;
  #onIdle: (() => void) | undefined;

  /** @param onProblem told of a message that the broker does not take; it is given up */
  constructor(onProblem: (error: AgentError) => void) {
    this.#onProblem = onProblem;
  }

  get dropped(): DroppedCounts {
    return this.#outbox.dropped;
  }

  add(message: OutgoingMessage): void {
    this.#outbox.add(message);
    this.#send();
  }

  attach(connection: Connection): void {
    this.#connection = connection;
    this.#send();
  }

  /** The connection ended. */
  detach(): void {
    this.#connection = undefined;
    this.#outbox.restore([...this.#underWay]);
    this.#underWay.clear();
  }

  /** Resolves when all is sent and acknowledged; never, if there is no connection by which that can happen. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      this.#send();
    });
  }

  #send(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    while (this.#underWay.size < connection.sendWindow) {
      const message = this.#outbox.take();
      if (message === undefined) break;
      this.#underWay.add(message);
      void this.#sendOne(connection, message);
    }
    if (this.#underWay.size === 0) this.#onIdle?.();
  }

  async #sendOne(connection: Connection, message: OutgoingMessage): Promise<void> {
    try {
      checkFits(connection, message);
      await connection.publish(message);
    } catch (error) {
      const problem =
        error instanceof AgentError
          ? error
          : new AgentError("link/publish-refused", messageOf(error), { cause: error });
      // The connection ended: detach() puts the message back.
      if (!GIVEN_UP.has(problem.code)) return;
      this.#onProblem(problem);
    }
    // After detach() the message belongs to the outbox again, or to another connection.
    if (this.#connection !== connection) return;
    this.#underWay.delete(message);
    this.#send();
  }
}

const GIVEN_UP: ReadonlySet<string> = new Set(["link/publish-refused", "link/payload-too-large"]);

function checkFits(connection: Connection, message: OutgoingMessage): void {
  const { topic, payload, correlationData } = message;
  const bytes =
    Buffer.byteLength(topic) + payload.length + (correlationData?.length ?? 0) + PUBLISH_OVERHEAD_BYTES;
  if (bytes <= connection.maxSendBytes) return;
  throw new AgentError(
    "link/payload-too-large",
    `a message of ${payload.length} bytes on ${topic} is more than the broker takes (packets of ${connection.maxSendBytes} bytes)`,
  );
}
