/**
 * Eavesdrop: whoever reads the broker reads the metadata, manifests and components (docs/SECURITY.md, "In the clear"; TLS keeps others off the line). What must
 * not be among it is anything to sign with.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { isKeyFileName } from "../../../fleet/keys.ts";
import { planSync } from "../../../fleet/sync-plan.ts";
import { newRepository, publish } from "../../fleet/fixture.ts";

test("nothing that is published holds a private key, in any form that it is kept in", async (t) => {
  const repository = await newRepository(t);
  await publish(repository);
  const keysFolder = repository.settings.keysFolder;
  const secrets: string[] = [];
  for (const name of (await readdir(keysFolder)).filter(isKeyFileName)) {
    // The public half of a key is for everybody.
    const { public: _public, ...secret } = JSON.parse(await readFile(join(keysFolder, name), "utf8"));
    const text = JSON.stringify(secret);
    secrets.push(...(text.match(/[0-9a-zA-Z+/=]{43,}/g) ?? []));
  }
  t.true(secrets.length > 0);
  const { roots, metadata, blobs } = await planSync(repository);
  const published = Buffer.concat(
    await Promise.all([...roots, ...metadata, ...blobs].map(async (item) => Buffer.from(await item.load()))),
  );
  t.true(published.length > 100_000);
  const isLeaked = (secret: string): boolean =>
    published.includes(secret) ||
    (/^[0-9a-f]{64}$/.test(secret) && published.includes(Buffer.from(secret, "hex")));
  t.deepEqual(
    secrets.filter((secret) => isLeaked(secret)),
    [],
  );
});
