/** The operator's folder and the power: what is written is on the medium, under its name. */

import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { FleetError } from "../../fleet/errors.ts";
import { makeFolder, PRIVATE_MODE, writeFileDurably } from "../../fleet/files.ts";
import { createKey, keyFile, readKeyFile } from "../../fleet/keys.ts";
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
  const before = synced.slice(0, metadata).map((path) => path.replace(/\+[0-9]+\.tmp/, ""));
  for (const name of ["component.wasm", "component.blobs", "component.chunks", "module.toml"]) {
    t.true(
      before.some((path) => path.includes(`/1.0.0/${name}`)),
      name,
    );
  }
  for (const path of ["", "targets", "targets/acme", "targets/acme/thermo"])
    t.true(before.includes(path), path);
});

test.serial(
  "of keys of one name that are made at the same time, one is, and its file holds it",
  async (t) => {
    const folder = await temporaryFolder(t);
    const made = await Promise.allSettled(Array.from({ length: 8 }, () => createKey(folder, "acme")));
    const signers = made.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    t.is(signers.length, 1);
    for (const each of made) {
      if (each.status === "rejected")
        t.true(each.reason instanceof FleetError && each.reason.code === "fleet/exists");
    }
    t.is((await readKeyFile(keyFile(folder, "acme"))).key.keyId, signers[0]?.key.keyId ?? "");
    t.deepEqual(await readdir(folder), ["acme.json"]);
  },
);

test.serial("a new key is on the medium, and so is its name", async (t) => {
  const folder = await temporaryFolder(t);
  const synced = await recordSyncs(t, folder);
  await createKey(folder, "acme");
  t.deepEqual(synced, ["acme.json", ""]);
});

test.serial("what a publish that was killed left goes with the next, and no release does", async (t) => {
  const repository = await newRepository(t);
  // A version may end like a temporary file.
  const version = "1.0.0-rc.1.4711.tmp";
  await publish(repository, { version });
  const targets = join(repository.folder, "targets", "acme");
  for (const left of ["thermo/1.1.0+4711.tmp", "meter/1.0.0+4711.tmp"]) {
    await mkdir(join(targets, left), { recursive: true });
    await writeFile(join(targets, left, "component.wasm"), "half");
  }
  await writeFile(join(repository.folder, "image", "targets.json.0123abcd.tmp"), "half");
  await publish(repository, { version: "1.1.0" });
  t.deepEqual((await readdir(join(targets, "thermo"))).toSorted(), [version, "1.1.0"].toSorted());
  t.deepEqual(await readdir(join(targets, "meter")), []);
  t.deepEqual(await readdir(join(repository.folder, "image")), [
    "1.root.json",
    "snapshot.json",
    "targets.json",
    "timestamp.json",
  ]);
});
