/**
 * Makes a component of a core module that clang or rustc built: embeds the types of its world and, where it was built
 * for WASI preview 1 (wasm32-wasi), adapts that to 0.2 as a command. The same as `wasm-tools component embed` and
 * `component new --adapt`, with nothing but what `npm ci` installs.
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

const PREVIEW_1 = "wasi_snapshot_preview1";
const core = readFileSync(coreFile);
const imports = WebAssembly.Module.imports(await WebAssembly.compile(core));
const isPreview1 = imports.some(({ module }) => module === PREVIEW_1);
const adapters: [string, Uint8Array][] = isPreview1
  ? [[PREVIEW_1, readFileSync(preview1AdapterCommandPath())]]
  : [];
const typed = await componentEmbed({ binary: core, witSource: wholeWit(worldFile), world });
const component = await componentNew(typed, adapters);
writeFileSync(componentFile, component);
console.log(`${componentFile}: ${component.length} bytes`);
