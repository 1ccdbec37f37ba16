import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { createNodeDisk } from "../../ota/node-disk.ts";
import { releaseId } from "../../ota/release.ts";
import { CuttingDisk } from "../support/cutting-disk.ts";
import { temporaryFolder } from "../support/folders.ts";
import { InstallRig, MODULE, WINDOW_MS } from "../support/install-rig.ts";
import { makeRelease, sha256Of } from "../support/releases.ts";

const OLD = makeRelease("1.0.0");
const NEW = makeRelease("1.1.0", {
  component: new Uint8Array(5_000).map((_, index) => index >> 4),
  chunkBytes: 1_000,
});

type Ending = "commits" | "rolls back";

/** A folder in which 1.0.0 is committed, for each cut to start from. */
async function oldInstalled(t: ExecutionContext): Promise<string> {
  const rig = await InstallRig.create(t);
  await rig.install(OLD);
  await rig.installer.stop();
  await writeFile(join(rig.store.dataDirectory(MODULE), "counter"), "41");
  return rig.folder;
}

/** Runs an update on a copy of the folder, with the power going after some changes; gives the rig after the power is back. */
async function updateUntilCut(
  t: ExecutionContext,
  from: string,
  changes: number,
  ending: Ending,
): Promise<{ rig: InstallRig; isOver: boolean }> {
  const folder = await temporaryFolder(t);
  await cp(from, folder, { recursive: true });
  const cutting = new CuttingDisk(createNodeDisk());
  const rig = await InstallRig.create(t, { disk: cutting.asDisk(), folder });
  const counter = join(rig.store.dataDirectory(MODULE), "counter");
  rig.runner.onStart.set("1.1.0", () => writeFile(counter, "spoilt"));
  rig.installer.start();
  await rig.untilState(() => rig.runner.runningVersion() === "1.0.0");
  cutting.cutAfter(changes);
  let isCut = false;
  void cutting.cut.then(() => {
    isCut = true;
  });
  /** Stands still for ever once the power is gone. */
  const untilWithPower = (condition: () => boolean) => rig.untilState(() => !isCut && condition());
  const end = async (): Promise<void> => {
    rig.ask(NEW);
    await untilWithPower(() => rig.clock.pendingMs.includes(WINDOW_MS));
    if (ending === "commits") rig.clock.advance(WINDOW_MS);
    else rig.runner.end({ kind: "trap", code: "trap/wasm", message: "unreachable" });
    await untilWithPower(() => rig.told("1.1.0").some((event) => /^(committed|rolled-back)/.test(event)));
    await rig.installer.stop();
  };
  const isOver = await Promise.race([end().then(() => true), cutting.cut.then(() => false)]);
  rig.disk = createNodeDisk();
  await rig.crash();
  return { rig, isOver };
}

for (const ending of ["commits", "rolls back"] as const) {
  test(`power lost at any change of an update that ${ending} leaves the old version or the new one, whole`, async (t) => {
    const from = await oldInstalled(t);
    let changes = 0;
    for (let isOver = false; !isOver; changes++) {
      const cut = await updateUntilCut(t, from, changes, ending);
      isOver = cut.isOver;
      const { rig } = cut;
      await rig.untilState(() => rig.runner.runningVersion() !== undefined);
      const version = rig.runner.runningVersion();
      const release = version === "1.0.0" ? OLD : NEW;
      t.is(version, release.release.version, `cut at change ${changes}`);
      const component = await readFile(rig.store.componentPath(release.release));
      t.is(sha256Of(component), release.release.component.sha256);
      if (version === "1.0.0") {
        t.is(await readFile(join(rig.store.dataDirectory(MODULE), "counter"), "utf8"), "41", "with its data");
      }

      // And the device is not stuck: the next update installs.
      const next = makeRelease("2.0.0");
      rig.ask(next);
      const isCommitted = (): boolean => rig.told("2.0.0").includes("committed");
      while (!isCommitted()) {
        await rig.untilState(() => isCommitted() || rig.clock.pendingMs.includes(WINDOW_MS));
        rig.clock.advance(WINDOW_MS);
      }
      await rig.installer.stop();
      t.deepEqual(await readdir(join(rig.folder, "data")), ["acme.thermo"], `cut at change ${changes}`);
      t.true((await readdir(join(rig.folder, "versions"))).includes(releaseId(next.release)));
    }
    t.true(changes > 30, "the update was cut at each of its changes");
  });
}
