/** Who may connect, and over what: password, TLS, client certificate, access control. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";
import { brokerAt, isConnected, makeLink, OWN, PREFIX } from "./link-support.ts";

test("user and password, without the newline that an editor leaves in the file", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startMosquitto({ users: { "pi-01": "secret" } });
  t.teardown(broker.dispose);
  const passwordFile = join(broker.folder, "password");
  await writeFile(passwordFile, "secret\n");
  const { link, states } = makeLink(t, brokerAt(broker.port, { username: "pi-01", passwordFile }));
  link.start();
  t.like(await states.next(), { kind: "connected" });
});

test("a wrong password is reported as such, and the right one needs no restart", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const broker = await startMosquitto({ users: { "pi-01": "secret" } });
  t.teardown(broker.dispose);
  const passwordFile = join(broker.folder, "password");
  await writeFile(passwordFile, "guess");
  const { link, states } = makeLink(t, brokerAt(broker.port, { username: "pi-01", passwordFile }));
  link.start();
  t.like(await states.next(), { kind: "disconnected", reason: { code: "link/not-authorized" } });
  await writeFile(passwordFile, "secret");
  t.like(await states.next(isConnected), { protocolVersion: 5 });
});

test("a password file that went away is named", async (t) => {
  const { link, states } = makeLink(t, brokerAt(1, { username: "pi-01", passwordFile: "/nowhere/password" }));
  link.start();
  const state = await states.next();
  t.like(state, { kind: "disconnected", reason: { code: "link/credentials-unreadable" } });
  t.regex(state.kind === "disconnected" ? state.reason.message : "", /\/nowhere\/password/);
});

test("TLS with our authority and a client certificate", async (t) => {
  if (!requireTool(t, "mosquitto", "openssl")) return;
  const broker = await startMosquitto({ tls: { clientCertificates: true } });
  t.teardown(broker.dispose);
  const { caFile, client } = broker.certificates ?? t.fail();
  const access = brokerAt(broker.port, { tls: true, caFile, ...client });
  const byAddress = makeLink(t, access);
  byAddress.link.start();
  t.like(await byAddress.states.next(), { kind: "connected", protocolVersion: 5 });
  await byAddress.link.stop();
  const byName = makeLink(t, { ...access, host: "localhost" });
  byName.link.start();
  t.like(await byName.states.next(), { kind: "connected" });
});

test("TLS: a broker whose authority we do not know is refused", async (t) => {
  if (!requireTool(t, "mosquitto", "openssl")) return;
  const broker = await startMosquitto({ tls: {} });
  t.teardown(broker.dispose);
  const { link, states } = makeLink(t, brokerAt(broker.port, { tls: true }));
  link.start();
  t.like(await states.next(), { kind: "disconnected", reason: { code: "link/tls" } });
});

test("TLS: without the client certificate that the broker demands there is no connection", async (t) => {
  if (!requireTool(t, "mosquitto", "openssl")) return;
  const broker = await startMosquitto({ tls: { clientCertificates: true } });
  t.teardown(broker.dispose);
  const caFile = broker.certificates?.caFile;
  const { link, states } = makeLink(t, brokerAt(broker.port, { tls: true, caFile }));
  link.start();
  t.like(await states.next(), { kind: "disconnected", reason: { code: "link/tls" } });
});

test("what the broker's access control refuses is reported, and the link stays up", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_passwd")) return;
  const folder = await mkdtemp(join(tmpdir(), "skerry-link-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const aclFile = join(folder, "acl");
  await writeFile(aclFile, `user pi-01\ntopic readwrite ${PREFIX}device/pi-01/status\n`);
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, "secret");
  const broker = await startMosquitto({ users: { "pi-01": "secret" }, aclFile });
  t.teardown(broker.dispose);
  const { link, states, problems } = makeLink(t, brokerAt(broker.port, { username: "pi-01", passwordFile }));
  link.start();
  await states.next(isConnected);
  link.publish("event", `${OWN}event`, "1");
  const problem = await problems.next();
  t.is(problem.code, "link/publish-refused");
  t.regex(problem.message, /device\/pi-01\/event/);
});
