/** What a broker keeps of messages that are told once: commands, and messages to modules. */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { Aedes } from "aedes";
import test, { type ExecutionContext } from "ava";
import { startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";
import { Arrivals, brokerAt, COMMAND, isConnected, makeLink, makeOperator, OWN } from "./link-support.ts";

const MESSAGE = `${OWN}message/acme.heater/setpoint`;

async function mosquittoPort(t: ExecutionContext): Promise<number> {
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  return broker.port;
}

async function aedesPort(t: ExecutionContext): Promise<number> {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.close();
    return new Promise<void>((resolve) => aedes.close(() => resolve()));
  });
  return (server.address() as AddressInfo).port;
}

for (const [protocolVersion, startBroker] of [
  [5, mosquittoPort],
  [4, aedesPort],
] as const) {
  test(`MQTT ${protocolVersion}: what is retained is told when it is sent, and not again with each connection`, async (t) => {
    if (protocolVersion === 5 && !requireTool(t, "mosquitto")) return;
    const port = await startBroker(t);
    const { client } = await makeOperator(t, `mqtt://127.0.0.1:${port}`, []);
    const send = async (text: string, retain: boolean): Promise<void> => {
      await client.publishAsync(COMMAND, text, { qos: 1, retain });
      await client.publishAsync(MESSAGE, text, { qos: 1, retain });
    };
    const told: string[] = [];
    const connect = async () => {
      const { link, states } = makeLink(t, brokerAt(port));
      const arrivals = new Arrivals<string>();
      const tell = (text: string) => {
        told.push(text);
        arrivals.add(text);
      };
      link.subscribeCommands(({ payload }) => tell(`command ${payload}`));
      link.onMessage(({ path, payload }) => tell(`${path} ${payload}`));
      link.wantMessages();
      link.start();
      t.like(await states.next(isConnected), { protocolVersion });
      return { link, arrivals };
    };

    await send("before", true);
    const first = await connect();
    // It has subscribed when it is told something.
    for (let probes = 0; told.every((text) => text.endsWith(" before")); probes += 1) {
      await send(`probe ${probes}`, false);
    }
    const live = first.arrivals.next((text) => text === "setpoint live");
    await send("live", true);
    await live;
    await first.link.stop();
    const [before, lives] = [" before", " live"].map((end) => told.filter((text) => text.endsWith(end)));
    t.deepEqual({ before, lives }, { before: [], lives: ["command live", "setpoint live"] });

    told.length = 0;
    const second = await connect();
    // By the second of these at the latest, the broker has taken the subscription.
    for (const text of ["first", "second", "third"]) {
      const comes = second.arrivals.next((one) => one === `setpoint ${text}`);
      await send(text, false);
      await comes;
    }
    t.deepEqual(
      told,
      ["first", "second", "third"].flatMap((text) => [`command ${text}`, `setpoint ${text}`]),
    );
  });
}
