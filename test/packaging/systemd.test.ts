/** The service under a systemd of its own: hardened as it ships, told how the agent is, and started anew when it gives no sign of life. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { VERSION } from "../../agent/version.ts";
import { repositorySigners, rootFile } from "../support/signed-repository.ts";
import { BootedDebian, until, whyNotBooted } from "./booted-debian.ts";
import { bringPackage, makeDebianRoot, whyNoDebianRoot } from "./debian-root.ts";

const TIMEOUT_MS = 10 * 60 * 1_000;
/** Nobody listens there. The port is made by processes of the agent's, which the hardening has to let live. */
const CONFIG = `fleet = "demo"
id = "pi-01"
[broker]
url = "mqtt://127.0.0.1:9"
[trust]
image_root = "image.json"
director_root = "director.json"
[serial.modbus0]
driver = "virtual"
`;
const DROP_IN = "/etc/systemd/system/skerry.service.d/watchdog.conf";

const obstacle = (await whyNoDebianRoot()) ?? (await whyNotBooted());
if (obstacle !== undefined) console.log(`The tests of the service under systemd are left out: ${obstacle}.`);
const underSystemd = obstacle === undefined ? test : test.skip;

underSystemd("the service runs as its unit has it, through upgrades and hangs", async (t) => {
  t.timeout(TIMEOUT_MS);
  const folder = await mkdtemp(join(tmpdir(), "skerry-systemd-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const root = await makeDebianRoot(folder);
  const [older, newer] = [
    await bringPackage(root, folder, "0.0.9"),
    await bringPackage(root, folder, VERSION),
  ];
  const debian = await BootedDebian.boot(root);
  t.teardown(() => debian.close());
  const show = (property: string): Promise<string> =>
    debian.run("systemctl", "show", "-P", property, "skerry");

  // Without a configuration there is nothing to start, and that is no failure.
  await debian.run("dpkg", "-i", older);
  t.is(await debian.run("systemctl", "start", "skerry"), "");
  t.is(await show("ActiveState"), "inactive\n");

  for (const repository of ["image", "director"] as const) {
    const content = await rootFile(await repositorySigners(repository));
    await writeFile(join(root.folder, `etc/skerry/${repository}.json`), content);
  }
  await writeFile(join(root.folder, "etc/skerry/device.toml"), CONFIG);
  t.is(await debian.run("systemctl", "start", "skerry"), "", await debian.run("journalctl", "-u", "skerry"));
  t.is(await show("ActiveState"), "active\n");
  t.is(await show("User"), "skerry\n");
  t.is(await show("StatusText"), "not connected to the broker; no module runs\n");

  // The journal has priorities: an info is no warning.
  const journal = (...more: string[]) => debian.run("journalctl", "-u", "skerry", "-o", "cat", ...more);
  await until(journal, (lines) => /next attempt in/.test(lines));
  t.regex(await journal(), /^agent [\d.]+, device pi-01 of fleet demo$/m);
  const warnings = await journal("-p", "warning");
  t.regex(warnings, /next attempt in/);
  t.notRegex(warnings, /device pi-01/);

  // An upgrade starts again what ran, and nothing else.
  const before = await show("MainPID");
  await debian.run("dpkg", "-i", newer);
  t.is(await show("ActiveState"), "active\n");
  t.not(await show("MainPID"), before);
  await debian.run("systemctl", "stop", "skerry");
  t.is(await show("Result"), "success\n");
  await debian.run("dpkg", "-i", newer);
  t.is(await show("ActiveState"), "inactive\n");

  // An agent that gives no sign of life is started anew.
  await debian.run("sh", "-c", `mkdir -p \${0%/*}; printf '[Service]\\nWatchdogSec=4s\\n' > $0`, DROP_IN);
  await debian.run("systemctl", "daemon-reload");
  await debian.run("systemctl", "start", "skerry");
  await debian.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", "skerry");
  await until(
    () => show("NRestarts"),
    (restarts) => restarts === "1\n",
  );
  await until(
    () => show("ActiveState"),
    (state) => state === "active\n",
  );
});
