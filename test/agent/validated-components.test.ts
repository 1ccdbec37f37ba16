/** What a worker may load without validating it: the file that the agent has validated, while it is what it was. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { ValidatedComponents } from "../../agent/validated-components.ts";
import { temporaryFolder } from "../support/folders.ts";

async function validatedFile(t: ExecutionContext, validate: (path: string) => Promise<void>) {
  const path = join(await temporaryFolder(t), "component.wasm");
  await writeFile(path, "what was validated");
  const components = new ValidatedComponents();
  const remembered = components.remember("acme/one", path, () => validate(path));
  return { components, path, remembered };
}

test("a file that was validated is known, for its module alone", async (t) => {
  const { components, path, remembered } = await validatedFile(t, async () => {});
  await remembered;
  t.true(await components.holds("acme/one", path));
  t.false(await components.holds("acme/two", path));
});

test("a file that changed since is not known", async (t) => {
  const { components, path, remembered } = await validatedFile(t, async () => {});
  await remembered;
  await writeFile(path, "what was invalidated");
  t.false(await components.holds("acme/one", path));
});

test("a file that changed while it was validated is not known", async (t) => {
  const { components, path, remembered } = await validatedFile(t, (file) =>
    writeFile(file, "something else"),
  );
  await remembered;
  t.false(await components.holds("acme/one", path));
});

test("a file that is refused is not known", async (t) => {
  const { components, path, remembered } = await validatedFile(t, async () => {
    throw new Error("refused");
  });
  await t.throwsAsync(remembered, { message: "refused" });
  t.false(await components.holds("acme/one", path));
});

test("a file that is gone is not known", async (t) => {
  const { components, path, remembered } = await validatedFile(t, async () => {});
  await remembered;
  t.false(await components.holds("acme/one", `${path}.gone`));
});
