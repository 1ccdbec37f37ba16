/** A link under test and what it reports, and an operator's client beside it. */

import { EventEmitter, on } from "node:events";
import type { ExecutionContext } from "ava";
import mqtt from "mqtt";
import type { BrokerAccess } from "../../agent/credentials.ts";
import type { AgentError } from "../../agent/errors.ts";
import { createLink } from "../../agent/link.ts";
import type { Link, LinkState } from "../../agent/link-types.ts";

export const PREFIX = "skerry/v1/demo/";
export const OWN = `${PREFIX}device/pi-01/`;
export const STATUS = `${OWN}status`;
export const COMMAND = `${OWN}command`;

/** Values that arrive one after the other; `next()` waits for one that fits and drops those before it. */
export class Arrivals<T> {
  readonly #emitter = new EventEmitter();
  readonly #values = on(this.#emitter, "value");

  add(value: T): void {
    this.#emitter.emit("value", value);
  }

  async next(fits: (value: T) => boolean = () => true): Promise<T> {
    for (;;) {
      const { value } = await this.#values.next();
      const [arrived] = value as [T];
      if (fits(arrived)) return arrived;
    }
  }
}

export interface LinkUnderTest {
  readonly link: Link;
  readonly states: Arrivals<LinkState>;
  readonly problems: Arrivals<AgentError>;
}

export function brokerAt(port: number, further: Partial<BrokerAccess> = {}): BrokerAccess {
  return {
    host: "127.0.0.1",
    port,
    tls: false,
    username: undefined,
    passwordFile: undefined,
    caFile: undefined,
    certFile: undefined,
    keyFile: undefined,
    keepaliveSeconds: 60,
    ...further,
  };
}

/** Device pi-01 of fleet demo; stopped when the test ends. Reconnects at once. */
export function makeLink(t: ExecutionContext, broker: BrokerAccess): LinkUnderTest {
  const states = new Arrivals<LinkState>();
  const problems = new Arrivals<AgentError>();
  const link = createLink({
    fleet: "demo",
    deviceId: "pi-01",
    broker,
    status: { agent: "0.1.0", bootId: "boot-1", groups: ["default"] },
    onState: (state) => states.add(state),
    onProblem: (problem) => problems.add(problem),
    random: () => 0,
  });
  t.teardown(() => link.stop());
  return { link, states, problems };
}

export const isConnected = (state: LinkState): boolean => state.kind === "connected";
export const isDisconnected = (state: LinkState): boolean => state.kind === "disconnected";

export interface Observed {
  readonly topic: string;
  readonly text: string;
  readonly retained: boolean;
  readonly qos: number;
}

/** A further client, who sees `filters` and publishes what a test needs. */
export async function makeOperator(
  t: ExecutionContext,
  url: string,
  filters: readonly string[],
  options: mqtt.IClientOptions = {},
): Promise<{ client: mqtt.MqttClient; seen: Arrivals<Observed> }> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0, ...options });
  t.teardown(() => client.endAsync(true));
  const seen = new Arrivals<Observed>();
  client.on("message", (topic, payload, { retain, qos }) => {
    seen.add({ topic, text: payload.toString(), retained: retain, qos });
  });
  if (filters.length > 0) await client.subscribeAsync([...filters], { qos: 1 });
  return { client, seen };
}

/** Status messages by what they say: "online" or "offline". */
export const says =
  (status: "online" | "offline") =>
  ({ topic, text }: Observed): boolean =>
    topic === STATUS && text.startsWith(`{"status":"${status}"`);
