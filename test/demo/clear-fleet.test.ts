import test from "ava";
import { clearFleet } from "../../demo/clear-fleet.ts";
import { connectBroker } from "../../fleet/broker.ts";
import { readRetained } from "../../fleet/retained.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";

/** More than Mosquitto hands out at a time. */
const MESSAGES = 200;

test("nothing of the fleet stays on the broker, however much it is, and another fleet's messages do", async (t) => {
  if (!requireTool(t, "mosquitto")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const connection = await connectBroker({ url: broker.url });
  t.teardown(() => connection.end());
  for (let index = 0; index < MESSAGES; index++) {
    await connection.publishRetained(`skerry/v1/north/blob/${index}`, new Uint8Array(16_384));
  }
  await connection.publishRetained("skerry/v1/south/blob/0", new Uint8Array(1));

  await clearFleet(connection, "north");

  const left: string[] = [];
  const request = { filters: ["skerry/v1/north/#"], marker: "skerry/v1/south/blob/0" };
  await readRetained(connection, request, (topic) => left.push(topic));
  t.deepEqual(left, []);
  const others: string[] = [];
  await readRetained(connection, { filters: ["skerry/v1/south/#"], expected: 1 }, (topic) =>
    others.push(topic),
  );
  t.deepEqual(others, ["skerry/v1/south/blob/0"]);
});
