/**
 * Makes a component of a core module that clang or rustc built: embeds the types of its world and, where it was built
 * for WASI preview 1 (wasm32-wasi), adapts that to 0.2, as a command if it has a main. The same as `wasm-tools component embed` and
 * `component new --adapt`, with nothing but what `npm ci` installs.
 *
 *   node examples/component.ts <core.wasm> <world.wit> <world> <component.wasm>
 */
import { readFileSync, writeFileSync } from "node:fs";
import {
  componentEmbed,
  componentNew,
  preview1AdapterCommandPath,
  preview1AdapterReactorPath,
} from "@bytecodealliance/jco";
import { runTool, wholeWit } from "./wit.ts";

const PREVIEW_1 = "wasi_snapshot_preview1";

await runTool(async () => {
  const [coreFile, worldFile, world, componentFile] = process.argv.slice(2);
  if (
    coreFile === undefined ||
    worldFile === undefined ||
    world === undefined ||
    componentFile === undefined
  ) {
    throw new Error("usage: node examples/component.ts <core.wasm> <world.wit> <world> <component.wasm>");
  }
  const core = readFileSync(coreFile);
  const compiled = await WebAssembly.compile(core);
  const isPreview1 = WebAssembly.Module.imports(compiled).some(({ module }) => module === PREVIEW_1);
  const hasMain = WebAssembly.Module.exports(compiled).some(({ name }) => name === "_start");
  const adapter = hasMain ? preview1AdapterCommandPath() : preview1AdapterReactorPath();
  const adapters: [string, Uint8Array][] = isPreview1 ? [[PREVIEW_1, readFileSync(adapter)]] : [];
  const typed = await componentEmbed({ binary: core, witSource: wholeWit(worldFile), world });
  const component = await componentNew(typed, adapters);
  writeFileSync(componentFile, component);
  console.log(`${componentFile}: ${component.length} bytes`);
});
