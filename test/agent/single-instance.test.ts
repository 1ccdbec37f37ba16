import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { claimStateDir } from "../../agent/single-instance.ts";

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "skerry-claim-"));
  t.teardown(() => rm(path, { recursive: true }));
  return path;
}

const noWarning = (message: string): never => {
  throw new Error(message);
};

test("a second agent on the same folder is refused until the first one lets go", async (t) => {
  const path = await folder(t);
  const first = await claimStateDir(path, noWarning);
  await t.throwsAsync(claimStateDir(path, noWarning), {
    code: "agent/already-running",
    message: /state_dir/,
  });
  await first.release();
  const second = await claimStateDir(path, noWarning);
  await second.release();
});

test("what a killed agent left behind keeps nobody from starting", async (t) => {
  const path = await folder(t);
  const file = JSON.stringify(join(path, "agent.sock"));
  const script = `require("node:net").createServer().listen(${file}, () => console.log("ready"))`;
  const killed = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await once(killed.stdout, "data");
  await t.throwsAsync(claimStateDir(path, noWarning), { code: "agent/already-running" });
  const gone = once(killed, "exit");
  killed.kill("SIGKILL");
  await gone;
  const claim = await claimStateDir(path, noWarning);
  await claim.release();
});

test("where no socket can be made the agent starts all the same, with a warning", async (t) => {
  const warnings: string[] = [];
  const claim = await claimStateDir(join(await folder(t), "x".repeat(120)), (message) =>
    warnings.push(message),
  );
  t.is(warnings.length, 1);
  await claim.release();
});
