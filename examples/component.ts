/**
 * Makes a component of a core module that clang built for wasm32-wasi: embeds the types of its world and adapts
 * WASI preview 1 to 0.2 as a command. The same as `wasm-tools component embed` and `component new --adapt`, with
 * nothing but what `npm ci` installs.
 *
 *   node examples/component.ts <core.wasm> <world.wit> <world> <component.wasm>
 */
import { readFileSync, writeFileSync } from "node:fs";
import { componentEmbed, componentNew, preview1AdapterCommandPath } from "@bytecodealliance/jco";
import { wholeWit } from "./wit.ts";

const [coreFile, worldFile, world, componentFile] = process.argv.slice(2);
if (coreFile === undefined || worldFile === undefined || world === undefined || componentFile === undefined) {
  throw new Error("usage: node examples/component.ts <core.wasm> <world.wit> <world> <component.wasm>");
}

const adapter = readFileSync(preview1AdapterCommandPath());
const typed = await componentEmbed({ binary: readFileSync(coreFile), witSource: wholeWit(worldFile), world });
const component = await componentNew(typed, [["wasi_snapshot_preview1", adapter]]);
writeFileSync(componentFile, component);
console.log(`${componentFile}: ${component.length} bytes`);
