/** One message to one module of one device, and what became of it. */

import { randomBytes } from "node:crypto";
import { type BrokerAddress, type BrokerConnection, connectBroker } from "./broker.ts";
import { type DeviceReply, parseReply } from "./device-messages.ts";
import { FleetError } from "./errors.ts";
import { ANSWER_TIMEOUT_MS } from "./limits.ts";
import type { Repository } from "./repository.ts";
import { FleetTopics } from "./topics.ts";

export interface ModuleMessage {
  readonly device: string;
  readonly module: string;
  /** What the module sees behind `message/`. */
  readonly path: string;
  readonly payload: Uint8Array;
}

/** `sent`: the broker has it, and has no way to bring an answer back (MQTT 3.1.1). */
export type SendOutcome = "handled" | "sent";

const CORRELATION_BYTES = 8;

/**
 * Sends a message and waits for the device's answer, at most `timeoutMs`.
 *
 * @throws FleetError "fleet/not-delivered" with the device's reason, "fleet/no-answer", "fleet/broker-…"
 */
export async function sendMessage(
  repository: Repository,
  address: BrokerAddress,
  message: ModuleMessage,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<SendOutcome> {
  const topics = new FleetTopics(repository.settings.fleet);
  const connection = await connectBroker(address);
  try {
    return await sendOver(connection, topics, message, timeoutMs);
  } finally {
    await connection.end();
  }
}

async function sendOver(
  connection: BrokerConnection,
  topics: FleetTopics,
  { device, module, path, payload }: ModuleMessage,
  timeoutMs: number,
): Promise<SendOutcome> {
  const responseTopic = topics.reply(device);
  const correlationData = randomBytes(CORRELATION_BYTES);
  const answer = Promise.withResolvers<DeviceReply>();
  await connection.subscribe([responseTopic], (_topic, bytes, _retained, correlation) => {
    const reply =
      correlation !== undefined && correlationData.equals(correlation) ? parseReply(bytes) : undefined;
    if (reply !== undefined) answer.resolve(reply);
  });
  const { isUnheard } = await connection.send(topics.message(device, module, path), payload, {
    responseTopic,
    correlationData,
  });
  if (isUnheard) {
    const why = `the broker knows of nobody who takes messages for ${module} on ${device}: the device never connected, or no module on it subscribes to message/`;
    throw new FleetError("fleet/not-delivered", `${why}. "skerry devices" shows what it runs`);
  }
  if (connection.protocolVersion !== 5) return "sent";
  const reply = await connection.whileConnected(withinTime(answer.promise, timeoutMs, device));
  if (reply.ok) return "handled";
  throw new FleetError(
    "fleet/not-delivered",
    `${device} answered ${reply.code ?? "?"}: ${reply.message ?? ""}`,
  );
}

function withinTime(answer: Promise<DeviceReply>, timeoutMs: number, device: string): Promise<DeviceReply> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `${device} did not answer within ${timeoutMs / 1000} s. The broker has the message; a device that is offline gets it when it is back within a day`;
      reject(new FleetError("fleet/no-answer", message));
    }, timeoutMs);
  });
  return Promise.race([answer, timeout]).finally(() => clearTimeout(timer));
}
