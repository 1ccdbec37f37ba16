/** The standard streams of a module that is run by hand, in a process whose streams are pipes of ours. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import test from "ava";

/** Writes to standard output until that fails, and tells on standard error how it did. */
const WRITER = `
import { createControlMemory } from ${modulePath("control-block.ts")};
import { ModuleSession } from ${modulePath("module-session.ts")};
import { createInheritedStdio } from ${modulePath("wasi/inherited-stdio.ts")};
import { createPolling } from ${modulePath("wasi/poll.ts")};

const session = new ModuleSession({ postMessage() {} }, createControlMemory());
const output = createInheritedStdio(session, createPolling(session)).stdout.getStdout();
try {
  for (;;) output.blockingWriteAndFlush(new Uint8Array(4096));
} catch (error) {
  console.error((error.payload ?? error).tag ?? error);
}
`;

function modulePath(name: string): string {
  return JSON.stringify(import.meta.resolve(`../../sandbox/${name}`));
}

test("output is closed when its reader has gone", async (t) => {
  const writer = spawn(process.execPath, ["--input-type=module", "--eval", WRITER], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const told = text(writer.stderr);
  await once(writer.stdout, "data");
  writer.stdout.destroy();
  t.is((await told).trim(), "closed");
});
