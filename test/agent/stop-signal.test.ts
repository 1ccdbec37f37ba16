import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "ava";

/** A process that says which signal it stops for, and then hangs. */
const HANGS_WHILE_IT_STOPS = `
import { stopSignal } from ${JSON.stringify(new URL("../../agent/stop-signal.ts", import.meta.url).href)};
setInterval(() => undefined, 60_000);
void stopSignal(["SIGINT", "SIGTERM"]).then((signal) => console.log(signal));
console.log("ready");
`;

test("a signal's repetition is the same request; one that comes later ends a process that hangs while it stops", async (t) => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", HANGS_WHILE_IT_STOPS], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const lines = child.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
  t.is((await lines.next()).value, "ready\n");
  child.kill("SIGINT");
  t.is((await lines.next()).value, "SIGINT\n");
  child.kill("SIGTERM");
  // Until the process obeys: its clock, not ours, says when repetitions are over.
  let sent = 1;
  const impatient = setInterval(() => {
    sent++;
    child.kill("SIGINT");
  }, 100);
  t.deepEqual(await exited, [130, null]);
  clearInterval(impatient);
  t.true(sent > 1, "the second signal alone did not end it");
});
