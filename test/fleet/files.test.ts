/** The operator's folder and the power: what is written is on the medium, under its name. */

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { makeFolder, PRIVATE_MODE, writeFileDurably } from "../../fleet/files.ts";
import { temporaryFolder } from "../support/folders.ts";
import { recordSyncs } from "../support/synced-paths.ts";
import { newRepository, publish } from "./fixture.ts";

test.serial(
  "a file is synced before it has its name, and its folder after it; a secret is never readable by others",
  async (t) => {
    const folder = await temporaryFolder(t);
    const synced = await recordSyncs(t, folder);
    await writeFileDurably(join(folder, "key.json"), Buffer.from("secret"), PRIVATE_MODE);
    t.is(synced.length, 2);
    t.regex(synced[0] ?? "", /^key\.json\.[0-9a-f]{8}\.tmp$/);
    t.is(synced[1], "");
    t.is(await readFile(join(folder, "key.json"), "utf8"), "secret");
    t.is((await stat(join(folder, "key.json"))).mode & 0o777, 0o600);
  },
);

test.serial("the names of new folders are durable, those above them too", async (t) => {
  const folder = await temporaryFolder(t);
  const synced = await recordSyncs(t, folder);
  await makeFolder(join(folder, "targets", "acme", "thermo"));
  t.deepEqual(synced, ["targets/acme", "targets", ""]);
  await makeFolder(join(folder, "targets", "acme", "thermo"));
  t.is(synced.length, 3);
});

test.serial("a release's files and names are on the medium before metadata lists them", async (t) => {
  const repository = await newRepository(t);
  const synced = await recordSyncs(t, repository.folder);
  await publish(repository);
  const metadata = synced.findIndex((path) => path.startsWith("image/targets.json."));
  const before = synced.slice(0, metadata).map((path) => path.replace(/\.[0-9]+\.tmp/, ""));
  for (const name of ["component.wasm", "component.blobs", "component.chunks", "module.toml"]) {
    t.true(
      before.some((path) => path.includes(`/1.0.0/${name}`)),
      name,
    );
  }
  for (const path of ["", "targets", "targets/acme", "targets/acme/thermo"])
    t.true(before.includes(path), path);
});
