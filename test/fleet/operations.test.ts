/** docs/OPERATIONS.md: its commands, run as they stand. Each section goes on from the ceremony's end, with a broker that holds the fleet. */

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test from "ava";
import { openRepository } from "../../fleet/repository.ts";
import { planSync } from "../../fleet/sync-plan.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { requireTool } from "../support/tools.ts";
import { componentBytes, manifestText, temporaryFolder } from "./fixture.ts";

const DOCUMENT = await readFile(new URL("../../docs/OPERATIONS.md", import.meta.url), "utf8");
const SKERRY = fileURLToPath(new URL("../../skerry.js", import.meta.url));
const KEEPERS = ["anna", "bo", "chris", "dora", "new-anna", "acme", "release", "backup"];
const CEREMONY = "The ceremony";

interface Section {
  readonly title: string;
  /** The blocks of shell commands, one after the other. */
  readonly commands: readonly string[];
}

function sectionsOf(markdown: string): readonly Section[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((text) => ({
      title: text.slice(0, text.indexOf("\n")),
      commands: Array.from(text.matchAll(/^```sh\n(.*?)^```$/gms), ([, block = ""]) => block),
    }))
    .filter(({ commands }) => commands.length > 0);
}

const SECTIONS = sectionsOf(DOCUMENT);

/** Runs shell commands in `folder`, with the sticks below its parent and the test's broker. */
async function shell(
  folder: string,
  media: string,
  brokerUrl: string,
  commands: readonly string[],
): Promise<{ stdout: string }> {
  const script = commands
    .join("\n")
    .replaceAll("/media/", `${media}/`)
    .replaceAll("mqtts://broker.example:8883", brokerUrl);
  return promisify(execFile)("bash", ["-ec", script], {
    cwd: folder,
    env: {
      ...process.env,
      SKERRY_KEY_PASSPHRASE: "correct horse battery",
      PATH: `${media}:${process.env["PATH"]}`,
    },
  });
}

test("the page has the ceremony, the four thefts and what is done every day", (t) => {
  t.deepEqual(
    SECTIONS.map(({ title }) => title),
    [
      CEREMONY,
      "Releasing",
      "Every day",
      "A lost broker",
      "Renewing the roots",
      "Keepers who do not meet",
      "Rotating a key",
      "Other keepers, another threshold",
      "A team of publishers",
      "Many releases",
      "Old releases",
      "An online key is stolen",
      "The targets key is stolen",
      "One root key is stolen",
      "A threshold of root keys is stolen",
    ],
  );
});

/** The folder that holds `fleet` and `media` when the ceremony is over. */
let ceremonyFolder: Promise<string> | undefined;
test.after.always(async () => {
  const folder = await ceremonyFolder?.catch(() => undefined);
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

async function holdCeremony(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-ceremony-"));
  const media = join(folder, "media");
  for (const keeper of KEEPERS) await mkdir(join(media, keeper), { recursive: true });
  const program = `#!/bin/sh\nexec "${process.execPath}" "${SKERRY}" "$@"\n`;
  await writeFile(join(media, "skerry"), program, { mode: 0o755 });
  const { commands = [] } = SECTIONS.find(({ title }) => title === CEREMONY) ?? {};
  await shell(folder, media, "mqtt://127.0.0.1:1", commands);
  await writeFile(join(folder, "fleet", "component.wasm"), componentBytes(100_000, 1));
  await writeFile(join(folder, "fleet", "module.toml"), manifestText("acme/thermo", "1.0.0"));
  return folder;
}

for (const { title, commands } of SECTIONS) {
  test.serial(`${title}: its commands, as they stand, leave a repository that devices take`, async (t) => {
    if (!requireTool(t, "mosquitto")) return;
    ceremonyFolder ??= holdCeremony();
    const world = join(await temporaryFolder(t), "world");
    await cp(await ceremonyFolder, world, { recursive: true });
    const fleet = join(world, "fleet");
    const broker = await startMosquitto();
    t.teardown(broker.dispose);
    const settings = join(fleet, "skerry.toml");
    await writeFile(settings, (await readFile(settings, "utf8")).replace(/mqtt:\/\/[0-9.:]+/, broker.url));
    if (title !== CEREMONY) {
      for (const block of commands) {
        await t.notThrowsAsync(shell(fleet, join(world, "media"), broker.url, [block]), block);
      }
    }
    const last = title.startsWith("A threshold") ? join(world, "fleet-2") : fleet;
    const repository = await openRepository(last);
    await t.notThrowsAsync(planSync(repository));
    const { mode } = await stat(repository.settings.keysFolder);
    t.is(mode & 0o077, 0);
  });
}
