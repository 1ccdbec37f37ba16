/** Takes away what a broker retains of a fleet, by empty retained messages (MQTT 5.0 §3.3.1.3). */
import type { BrokerConnection } from "../fleet/broker.ts";

/** A round brings at least what a broker hands out at a time: Mosquitto twenty messages, unless its configuration says otherwise. */
const MAX_ROUNDS = 100;

/** Again until nothing is left: a broker's answer may overtake what it holds back. Gives up on a broker that keeps everything. */
export async function clearFleet(connection: BrokerConnection, fleet: string): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const retained = await retainedTopics(connection, fleet);
    if (retained.size === 0) return;
    for (const topic of retained) await connection.publishRetained(topic, new Uint8Array(0));
  }
}

/** Topics of the fleet that hold a retained message: not all of them, but none only if there is none. */
async function retainedTopics(connection: BrokerConnection, fleet: string): Promise<ReadonlySet<string>> {
  const topics = new Set<string>();
  const unsubscribe = await connection.subscribe([`skerry/v1/${fleet}/#`], (topic, payload, isRetained) => {
    if (isRetained && payload.byteLength > 0) topics.add(topic);
  });
  // The broker's answer to this comes behind the first of the retained messages.
  await connection.publishRetained(`skerry/v1/${fleet}/end`, new Uint8Array(0));
  await unsubscribe();
  return topics;
}
