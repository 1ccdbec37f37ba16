/**
 * A component of nothing but a world: made by wasm-tools from WIT, with every function of what it imports, and exports that trap. The WIT is the
 * project's own (wit/) and that of WASI 0.2 as jco carries it.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import { wholeWit } from "../../examples/wit.ts";

/** As examples/wit.ts has it. */
const WASI_VERSION = "0.2.12";
/** @param imports interfaces without their version (`wasi:io/poll`), as are `exports` */
export async function worldComponent(
  imports: readonly string[],
  exports: readonly string[] = [],
): Promise<Uint8Array> {
  const items = [...imports.map((name) => ["import", name]), ...exports.map((name) => ["export", name])];
  const lines = items.map(([direction, name = ""]) => `  ${direction} ${name}@${versionOf(name)};`);
  const folder = await mkdtemp(join(tmpdir(), "skerry-world-"));
  try {
    const worldFile = join(folder, "world.wit");
    await writeFile(worldFile, `package test:all;\nworld all {\n${lines.join("\n")}\n}\n`);
    const witSource = wholeWit(worldFile);
    // Functions that are not stable yet are in: a host may have them, and a component import them.
    const core = await componentEmbed({ dummy: true, witSource, world: "all", features: { tag: "all" } });
    return componentNew(core, []);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function versionOf(name: string): string {
  return name.startsWith("wasi:") ? WASI_VERSION : "0.1.0";
}
