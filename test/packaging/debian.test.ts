/** The .deb in a Debian system of its own: installed, upgraded, removed, purged, one after the other. */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { VERSION } from "../../agent/version.ts";
import { bringFile, bringPackage, type DebianRoot, makeDebianRoot, whyNoDebianRoot } from "./debian-root.ts";

const OLDER = "0.0.9";
const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));
const UNIT = "usr/lib/systemd/system/skerry.service";
const POLICY = `[sensor.ambient]
driver = "simulated"
[[grant]]
module = "acme/thermo"
sensor = ["ambient"]
publish = ["telemetry/#"]
memory = "4MiB"
`;
/** systemd-analyze counts in tenths. */
const MAX_EXPOSURE_TENTHS = 20;
const TIMEOUT_MS = 10 * 60 * 1_000;

const obstacle = await whyNoDebianRoot();
if (obstacle !== undefined) console.log(`The tests of the Debian package are left out: ${obstacle}.`);
const inDebian = obstacle === undefined ? test.serial : test.skip;

const folder = await mkdtemp(join(tmpdir(), "skerry-debian-"));
let made: Promise<DebianRoot> | undefined;
/** The system that the tests of this file share, in their order. */
function debian(): Promise<DebianRoot> {
  made ??= makeDebianRoot(folder);
  return made;
}
test.after.always(() => rm(folder, { recursive: true, force: true }));

const packageOf = async (version: string): Promise<string> => bringPackage(await debian(), folder, version);

inDebian("the service's exposure, as systemd-analyze rates it, is 2.0 at most", async (t) => {
  t.timeout(TIMEOUT_MS);
  const root = await debian();
  await cp(
    fileURLToPath(new URL(`../../packaging/tree/${UNIT}`, import.meta.url)),
    join(root.folder, "unit.service"),
  );
  const threshold = `--threshold=${MAX_EXPOSURE_TENTHS}`;
  const rating = root.run(
    "systemd-analyze",
    "security",
    "--offline=true",
    "--no-pager",
    threshold,
    "/unit.service",
  );
  await t.notThrowsAsync(rating);
  t.log(/Overall exposure.*/.exec(await rating)?.[0]);
});

inDebian(
  "the package is installed with its user, its service and its command, and says what comes next",
  async (t) => {
    t.timeout(TIMEOUT_MS);
    const root = await debian();
    const said = await root.run("dpkg", "-i", await packageOf(OLDER));
    t.regex(
      said,
      /^skerry: write \/etc\/skerry\/device\.toml \(an example: (\S+)\), then: systemctl start skerry$/m,
    );
    await root.run("test", "-r", /an example: ([^\s)]+)/.exec(said)?.[1] ?? "");

    t.regex(await root.run("id", "skerry"), /^uid=\d+\(skerry\) .*\(dialout\)/);
    t.is(await root.run("stat", "--format=%U:%G %a", "/etc/skerry"), "root:skerry 2750\n");
    await root.run("test", "-L", "/etc/systemd/system/multi-user.target.wants/skerry.service");
    t.is(await root.run("systemd-analyze", "verify", "--man=no", "skerry.service"), "");

    t.is(await root.run("skerry", "--version"), `${VERSION}\n`);
    const module = await bringFile(root, `${EXAMPLES}thermo-c/thermo-1.0.0.wasm`, "thermo.wasm");
    const manifest = await bringFile(root, `${EXAMPLES}thermo-c/module.toml`, "module.toml");
    await writeFile(join(root.folder, "root/policy.toml"), POLICY);
    const granted = ["--manifest", manifest, "--policy", "/root/policy.toml", "--timeout", "3s"];
    const ran = await t.throwsAsync(root.run("skerry", "module", "run", module, ...granted));
    t.regex(String(ran), /published telemetry\/temperature: /);
  },
);

inDebian("an upgrade keeps state, configuration and user", async (t) => {
  t.timeout(TIMEOUT_MS);
  const root = await debian();
  const inRoot = (path: string): string => join(root.folder, path);
  const user = await root.run("id", "skerry");
  await mkdir(inRoot("var/lib/skerry"), { mode: 0o700 });
  await writeFile(inRoot("var/lib/skerry/state"), "state");
  await writeFile(inRoot("etc/skerry/device.toml"), "# the owner's own");
  await root.run("chmod", "0700", "/etc/skerry");

  const said = await root.run("dpkg", "-i", await packageOf(VERSION));
  t.notRegex(said, /device\.toml/);
  t.regex(await root.run("dpkg-query", "--show", "skerry"), new RegExp(`\\t${VERSION}$`, "m"));
  t.is(await readFile(inRoot("var/lib/skerry/state"), "utf8"), "state");
  t.is(await readFile(inRoot("etc/skerry/device.toml"), "utf8"), "# the owner's own");
  t.is((await stat(inRoot("etc/skerry"))).mode & 0o777, 0o700);
  t.is(await root.run("id", "skerry"), user);
});

inDebian("a removal keeps state and configuration; a purge leaves nothing of them", async (t) => {
  t.timeout(TIMEOUT_MS);
  const root = await debian();
  const inRoot = (path: string): string => join(root.folder, path);
  await root.run("dpkg", "--remove", "skerry");
  t.false(existsSync(inRoot("usr/bin/skerry")));
  t.false(existsSync(inRoot("usr/lib/skerry")));
  t.is(await readFile(inRoot("var/lib/skerry/state"), "utf8"), "state");
  t.is(await readFile(inRoot("etc/skerry/device.toml"), "utf8"), "# the owner's own");

  await root.run("dpkg", "--purge", "skerry");
  for (const path of ["var/lib/skerry", "etc/skerry"]) t.false(existsSync(inRoot(path)), path);
  t.is(await root.run("find", "/etc/systemd", "/var/lib/systemd", "-name", "*skerry*"), "");
});
