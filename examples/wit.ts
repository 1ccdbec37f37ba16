/**
 * One self-contained WIT text from a module's world and the packages of wit/: each package becomes a nested one
 * (`package name { … }`), which every tool takes as a single file. Where the world names packages of WASI, those that jco carries are
 * added, so it has to name them in the version that jco has.
 *
 *   node examples/wit.ts <world.wit> > <whole.wit>
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const WIT_FOLDER = join(import.meta.dirname, "../wit");

/** WASI 0.2 as jco carries it. */
const WASI_VERSION = "0.2.12";
const WASI_FOLDER = join(
  import.meta.dirname,
  `../node_modules/@bytecodealliance/jco/lib/wit/builtin/${WASI_VERSION}`,
);

/** The world file's text followed by skerry:device and skerry:module, and by WASI's packages if it names one. */
export function wholeWit(worldFile: string): string {
  const world = readFileSync(worldFile, "utf8");
  return [
    world,
    nestedPackage("skerry:device@0.1.0", join(WIT_FOLDER, "deps/skerry-device")),
    nestedPackage("skerry:module@0.1.0", WIT_FOLDER),
    ...(/\bwasi:/.test(world) ? wasiPackages() : []),
  ].join("\n");
}

function nestedPackage(name: string, folder: string): string {
  const header = `package ${name};\n`;
  const texts = readdirSync(folder)
    .filter((file) => file.endsWith(".wit"))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      if (!text.startsWith(header))
        throw new Error(`${join(folder, file)} does not start with "${header.trim()}"`);
      return text.slice(header.length);
    });
  return `package ${name} {\n${texts.join("\n")}}\n`;
}

function wasiPackages(): string[] {
  return readdirSync(WASI_FOLDER).map((folder) =>
    nestedPackage(`${folder.replace("-", ":")}@${WASI_VERSION}`, join(WASI_FOLDER, folder)),
  );
}

/** Runs a tool of this folder for a person: what goes wrong is one line, not a stack. */
export async function runTool(tool: () => void | Promise<void>): Promise<void> {
  try {
    await tool();
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

if (import.meta.main) {
  await runTool(() => {
    const [worldFile] = process.argv.slice(2);
    if (worldFile === undefined) throw new Error("usage: node examples/wit.ts <world.wit>");
    process.stdout.write(wholeWit(worldFile));
  });
}
