/** python-tuf's client takes the operator's folder, where python-tuf is installed. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { assignRelease } from "../../../fleet/assign.ts";
import { newRepository, publish } from "../../fleet/fixture.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { serveFolder } from "./http-folder.ts";

const run = promisify(execFile);
const COMPONENT = "acme/thermo/1.0.0/component.wasm";

/** Arguments: the repository's URL, root 1, a target's path, an empty folder. Prints the target's length and SHA-256. Newer clients want the root as `bootstrap`. */
const CLIENT = `
import inspect, os, shutil, sys
from tuf.ngclient import Updater
url, root, path, folder = sys.argv[1:]
options = dict(metadata_dir=folder, metadata_base_url=url, target_dir=folder, target_base_url=url)
if "bootstrap" in inspect.signature(Updater.__init__).parameters:
    options["bootstrap"] = open(root, "rb").read()
else:
    shutil.copy(root, os.path.join(folder, "root.json"))
updater = Updater(**options)
updater.refresh()
target = updater.get_targetinfo(path)
print(target.length, target.hashes["sha256"])
`;

test("ngclient reads both repositories", async (t) => {
  const isThere = await run("python3", ["-c", "import tuf.ngclient"]).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    t.log("left out: python-tuf is not installed");
    return t.pass();
  }
  const repository = await newRepository(t);
  const { componentBytes } = await publish(repository);
  const audience = { kind: "group", group: "default", percent: 25 } as const;
  await assignRelease(repository, { module: "acme/thermo", version: "1.0.0", audience });
  const url = await serveFolder(t, repository.folder);
  for (const name of ["image", "director"]) {
    const root = join(repository.folder, name, "1.root.json");
    const client = ["-c", CLIENT, `${url}/${name}`, root, COMPONENT, await temporaryFolder(t)];
    const { stdout } = await run("python3", client);
    t.regex(stdout, new RegExp(`^${componentBytes} [0-9a-f]{64}$`, "m"));
  }
});
