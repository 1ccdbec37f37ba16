/** A broker that acknowledges nothing. In a file of its own: its process's timers are mocked. */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { mock } from "node:test";
import test from "ava";
import { ACKNOWLEDGE_TIMEOUT_MS } from "../../agent/limits.ts";
import { brokerAt, isConnected, makeLink } from "./link-support.ts";

test("a broker that acknowledges nothing is given up", async (t) => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    // CONNACK of MQTT 5, and then nothing any more.
    socket.once("data", () => {
      mock.timers.enable({ apis: ["setTimeout"] });
      socket.write(Buffer.of(0x20, 3, 0, 0, 0));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  t.teardown(() => mock.timers.reset());
  const { link, states } = makeLink(t, brokerAt((server.address() as AddressInfo).port));
  link.start();
  await states.next(isConnected);
  mock.timers.tick(ACKNOWLEDGE_TIMEOUT_MS);
  const state = await states.next();
  t.like(state, { kind: "disconnected", reason: { code: "link/timeout" } });
  t.regex(state.kind === "disconnected" ? state.reason.message : "", /acknowledged nothing/);
  mock.timers.reset();
  server.close();
});
