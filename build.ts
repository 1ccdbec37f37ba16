/**
 * `npm run build [-- --outdir DIR]`: bundles the sources to dist/, minified, by the processes that a device or an operator runs:
 *
 * - agent.js: the agent, as a library and for `skerry agent`
 * - worker.js: the worker that runs one module
 * - fleet.js: the operator's commands
 * - skerry.js: the command line, which imports one of the others
 *
 * What one of them imports when it needs it (the MQTT client, the sandbox's parts, TOML) becomes a chunk beside it: a device strips
 * no types and holds no text of code that it does not run. Measured against one file per process: 1.3 MiB less for an idle agent.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BuildOptions, build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));

/** What the package exports as a library, and what skerry.js takes from it. */
const LIBRARY = `
export { startAgent } from "./agent/agent.ts";
export { loadConfig } from "./agent/config.ts";
export { runAgentCommand } from "./agent/cli.ts";
`;

/** What stands in for packages that mqtt.js brings along and Node has no use for: 2 MiB less for an idle agent. */
const SUBSTITUTES: Readonly<Record<string, string>> = {
  // Traces; nothing in the agent turns them on.
  debug: "module.exports = () => Object.assign(() => {}, { enabled: false });",
  // A copy of Node's own streams for browsers.
  "readable-stream": 'module.exports = require("node:stream");',
  // Timers in a browser's worker; the agent asks for `timerVariant: "native"`.
  "worker-timers": "module.exports = {};",
};

const substitutes: Plugin = {
  name: "substitutes",
  setup(builder) {
    const filter = new RegExp(`^(${Object.keys(SUBSTITUTES).join("|")})$`);
    builder.onResolve({ filter }, ({ path }) => ({ path, namespace: "substitutes" }));
    builder.onLoad({ filter: /.*/, namespace: "substitutes" }, ({ path }) => ({
      contents: SUBSTITUTES[path] ?? "",
      loader: "js",
    }));
  },
};

/** In skerry.js the device's and the operator's halves stay files of their own, imported when their command runs. */
const halves: Plugin = {
  name: "halves",
  setup(builder) {
    builder.onResolve({ filter: /^\.\/agent\/cli\.ts$/ }, () => ({ path: "./agent.js", external: true }));
    builder.onResolve({ filter: /^\.\/fleet\/main\.ts$/ }, () => ({ path: "./fleet.js", external: true }));
  },
};

/** The day of the build: what the agent takes for the earliest time. The same sources build alike where SOURCE_DATE_EPOCH (in seconds) says which. */
function builtMs(): number {
  const epochSeconds = Number(process.env["SOURCE_DATE_EPOCH"] ?? Number.NaN);
  const timeMs = Number.isNaN(epochSeconds) ? Date.now() : epochSeconds * 1_000;
  return timeMs - (timeMs % (24 * 60 * 60 * 1_000));
}

/**
 * With "beside", the serialport package becomes a chunk like others, and its native addon is the file serialport.node beside it: what a
 * device's package brings for its one architecture.
 */
const addonBeside: Plugin = {
  name: "addon-beside",
  setup(builder) {
    // A CommonJS package that is imported dynamically would have a default export alone once it is a chunk.
    builder.onResolve({ filter: /^serialport$/ }, ({ path, namespace }) =>
      namespace === "addon-beside" ? undefined : { path, namespace: "addon-beside" },
    );
    builder.onLoad({ filter: /^serialport$/, namespace: "addon-beside" }, () => ({
      contents: 'export { SerialPort } from "serialport";',
      resolveDir: root,
    }));
    builder.onResolve({ filter: /^node-gyp-build$/ }, ({ path }) => ({ path, namespace: "addon-beside" }));
    builder.onLoad({ filter: /^node-gyp-build$/, namespace: "addon-beside" }, () => ({
      contents: 'module.exports = () => require("./serialport.node");',
      loader: "js",
    }));
    builder.onResolve({ filter: /^\.\/serialport\.node$/ }, ({ path }) => ({ path, external: true }));
  },
};

interface BundleOptions {
  /**
   * It brings a native addon, and is imported only where a policy names a real port. "package": from its own folder, as npm installs it;
   * "beside": see `addonBeside`.
   */
  readonly serialport: "package" | "beside";
}

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  splitting: true,
  minify: true,
  platform: "node",
  format: "esm",
  target: "node24",
  legalComments: "none",
  metafile: true,
  // CommonJS packages in an ES module bundle ask for Node's own modules by `require`.
  banner: {
    js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
  },
};
/** What a CommonJS package calls its own folder. */
const FOLDER_OF_CHUNK = { __dirname: "import.meta.dirname" };

/** Builds everything into `outdir`, which is emptied first. Resolves to the folders of the npm packages whose code is in it, in order. */
export async function buildBundles(
  outdir: string,
  { serialport }: BundleOptions = { serialport: "package" },
): Promise<readonly string[]> {
  await rm(outdir, { recursive: true, force: true });
  const library = { contents: LIBRARY, resolveDir: root, sourcefile: "library.ts", loader: "ts" } as const;
  // Chunks lie beside their entry: the agent looks for worker.js in the folder of the chunk that starts it.
  const part = (name: string): BuildOptions => ({
    ...common,
    outdir,
    define: {
      SKERRY_BUILT_MS: `${builtMs()}`,
      ...(serialport === "package" ? {} : FOLDER_OF_CHUNK),
    },
    ...(serialport === "package" ? { external: ["serialport"] } : {}),
    plugins: serialport === "package" ? [substitutes] : [substitutes, addonBeside],
    entryNames: name,
    chunkNames: `${name}-[name]-[hash]`,
  });
  const { plugins = [], ...command } = part("skerry");
  const results = [
    await build({ ...part("agent"), stdin: library }),
    await build({ ...part("worker"), entryPoints: ["sandbox/worker.ts"] }),
    await build({ ...part("fleet"), entryPoints: ["fleet/main.ts"] }),
    await build({ ...command, entryPoints: ["skerry.ts"], plugins: [...plugins, halves] }),
  ];
  return packagesIn(results.flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {})));
}

/** The folders of the npm packages that these files, relative to the project, belong to. */
function packagesIn(files: readonly string[]): readonly string[] {
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  return [...new Set(folders)].sort().map((folder) => resolve(root, folder));
}

async function printSizes(outdir: string): Promise<void> {
  const sizes = new Map<string, { entry: number; chunks: number }>();
  for (const file of await readdir(outdir)) {
    const { size } = await stat(`${outdir}/${file}`);
    const name = file.replace(/[-.].*$/, "");
    const { entry, chunks } = sizes.get(name) ?? { entry: 0, chunks: 0 };
    const isEntry = file === `${name}.js`;
    sizes.set(name, { entry: isEntry ? size : entry, chunks: isEntry ? chunks : chunks + size });
  }
  const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(1).padStart(7)} KiB`;
  for (const [name, { entry, chunks }] of sizes) {
    console.log(
      `${basename(outdir)}/${`${name}.js`.padEnd(10)} ${kibibytes(entry)}, its chunks ${kibibytes(chunks)}`,
    );
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { outdir: { type: "string", default: `${root}dist` } } });
  const outdir = resolve(values.outdir);
  await buildBundles(outdir);
  await printSizes(outdir);
}
