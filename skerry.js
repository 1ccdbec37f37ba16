#!/usr/bin/env node
// The `skerry` command as npm links it. Finds a Node of version 24 or newer and starts the built command line (dist/), or in a
// clone the sources, which Node runs by stripping their types. Written for any Node from 18 on, since it may be started by an older one.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const NODE_MAJOR_MINIMUM = 24;
const here = new URL(".", import.meta.url);
// Sources only run outside of node_modules: Node does not strip types inside.
const fromSources = existsSync(new URL("skerry.ts", here)) && !here.pathname.includes("/node_modules/");
const entry = new URL(fromSources ? "skerry.ts" : "dist/skerry.js", here);

if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MINIMUM) {
  const { main } = await import(entry.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  startOnPinnedNode();
}

function startOnPinnedNode() {
  const pinned = fileURLToPath(new URL("node_modules/node/bin/node", here));
  if (!existsSync(pinned)) {
    console.error(
      `skerry needs Node.js ${NODE_MAJOR_MINIMUM} or newer; this is ${process.versions.node}. Install it, or run skerry from a clone after npm ci.`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  // As a shell has it: 128 and the signal's number for a child that a signal ended.
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
