import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { VERSION } from "../../agent/version.ts";
import { buildBundles } from "../../build.ts";
import { repositorySigners, rootFile } from "../support/signed-repository.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const CONFIG = `fleet = "demo"
id = "pi-01"
state_dir = "state"
[broker]
url = "mqtt://127.0.0.1"
[trust]
image_root = "root.json"
director_root = "root.json"
`;

/** The package as it is published: built, without sources, below node_modules. */
async function installPackage(t: ExecutionContext): Promise<{ folder: string; skerry: string }> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-build-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const installed = join(folder, "node_modules", "skerry");
  await buildBundles(join(installed, "dist"));
  for (const name of ["skerry.js", "package.json"]) await copyFile(join(ROOT, name), join(installed, name));
  await symlink(join(ROOT, "node_modules", "serialport"), join(folder, "node_modules", "serialport"));
  await writeFile(join(folder, "root.json"), await rootFile(await repositorySigners("image")));
  await writeFile(join(folder, "device.toml"), CONFIG);
  return { folder, skerry: join(installed, "skerry.js") };
}

test("the built package runs its commands and is a library, without its sources", async (t) => {
  const { folder, skerry } = await installPackage(t);
  const node = (...argv: string[]) => run(process.execPath, argv, { cwd: folder });

  t.is((await node(skerry, "--version")).stdout, `${VERSION}\n`);
  t.regex((await node(skerry, "agent", "--help")).stdout, /^usage: skerry agent/);
  const check = await node(skerry, "agent", "--check", "--config", "device.toml");
  t.is(check.stdout, "device.toml: ok (device pi-01 of fleet demo)\n");
  t.regex((await node(skerry, "publish", "--help")).stdout, /^usage: skerry publish/);

  const program = `
    import * as skerry from "skerry";
    const { deviceId } = await skerry.loadConfig("device.toml");
    const failure = await skerry.startAgent("missing.toml").catch((error) => error.code);
    console.log(JSON.stringify([Object.keys(skerry).sort(), deviceId, failure]));
  `;
  const { stdout } = await node("--input-type=module", "--eval", program);
  t.deepEqual(JSON.parse(stdout), [
    ["loadConfig", "runAgentCommand", "startAgent"],
    "pi-01",
    "config/unreadable",
  ]);
});
