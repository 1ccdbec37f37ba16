/** docs/OPERATIONS.md, "A team of publishers": what to do about a team's file whose version jumps. */

import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { keyFile, openKey, readKeyFile } from "../../fleet/keys.ts";
import { MAX_VERSION_JUMP } from "../../fleet/limits.ts";
import { listedTargetsOf, loadMetadata } from "../../fleet/metadata-store.ts";
import { metadataFile, type Repository } from "../../fleet/repository.ts";
import { signMetadata, targetsJson } from "../../ota/sign-metadata.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { findTool, requireTool } from "../support/tools.ts";
import { newRepository, publish, temporaryFolder } from "./fixture.ts";
import { type Outcome, run } from "./run-command.ts";

/** A version that no other could follow. */
const FAR = MAX_VERSION_JUMP + 10;

const skerry = (repository: Repository, line: string): Promise<Outcome> =>
  run(line.split(" "), { env: { SKERRY_REPO: repository.folder } });

async function succeed(t: ExecutionContext, repository: Repository, line: string): Promise<void> {
  const { exitCode, err } = await skerry(repository, line);
  t.is(exitCode, 0, `${line}: ${err}`);
}

/** Replaces the team's file by another, signed with its key; gives the file's path. */
async function forge(repository: Repository, version: number, keysFolder?: string): Promise<string> {
  const path = metadataFile(repository.folder, "image", "acme");
  const base = (await loadMetadata(repository, "image")).delegated.get("acme")?.signedJson;
  const key = keyFile(keysFolder ?? repository.settings.keysFolder, "acme");
  const signer = await openKey(await readKeyFile(key), undefined);
  const fields = { version, expiresMs: Date.now() + 86_400_000 };
  const signed = targetsJson({ ...fields, ...(base === undefined ? {} : { base }), targets: [] });
  await writeFile(path, await signMetadata(signed, [signer]));
  return path;
}

/** Neither of these gets around it; the message says what to do first. */
async function refused(t: ExecutionContext, repository: Repository, advice: RegExp): Promise<void> {
  for (const line of ["keys rotate acme --plain", "keys revoke acme", "refresh --force"]) {
    const { exitCode, err } = await skerry(repository, line);
    t.is(exitCode, 1, line);
    t.regex(err, advice, line);
  }
}

test("a team's file whose version jumps comes back from the broker, and then its key is rotated", async (t) => {
  if (!requireTool(t, "mosquitto", "mosquitto_sub")) return;
  const broker = await startMosquitto();
  t.teardown(broker.dispose);
  const repository = await newRepository(t, { broker });
  await succeed(t, repository, "keys add --role acme --paths acme/* --plain");
  await publish(repository);
  await succeed(t, repository, "sync");
  const named = (await loadMetadata(repository, "image")).snapshot.metadata.files.get("acme.json")?.version;
  const path = await forge(repository, FAR);
  await refused(
    t,
    repository,
    /first bring the former one back, .*broker.*image\/acme.*; then.*rotate acme/s,
  );

  // Another one that the thief may have left on the broker: `sync` tells.
  await forge(repository, named ?? 0);
  t.is((await skerry(repository, "sync")).exitCode, 1);

  const argv = ["-p", `${broker.port}`, "-C", "1", "-N", "-t", "skerry/v1/demo/image/acme"];
  const { stdout } = await promisify(execFile)(findTool("mosquitto_sub") ?? "", argv, { encoding: "buffer" });
  await writeFile(path, stdout);
  await succeed(t, repository, "sync");
  await succeed(t, repository, "keys rotate acme --plain");
  await succeed(t, repository, "sync");
  t.true(listedTargetsOf(await loadMetadata(repository, "image")).has("acme/thermo/1.0.0/component.wasm"));
  await publish(repository, { version: "1.1.0" });
  await succeed(t, repository, "sync");
});

test("a team's first file whose version jumps is removed, and then its key is rotated", async (t) => {
  const repository = await newRepository(t);
  const elsewhere = await temporaryFolder(t);
  await succeed(t, repository, `keys new acme --plain --out ${elsewhere}`);
  const publicKey = join(elsewhere, "acme.pub.json");
  await succeed(t, repository, `keys add --role acme --paths acme/* --public ${publicKey}`);
  const path = await forge(repository, FAR, elsewhere);
  await refused(t, repository, /first remove it/);
  await rm(path);
  await succeed(t, repository, "keys rotate acme --plain");
  await t.notThrowsAsync(publish(repository));
});
