/**
 * `npm run build`: bundles the sources to dist/, minified, one file per process that a device or an operator runs:
 *
 * - agent.js: the agent, as a library and for `skerry agent`
 * - worker.js: the worker that runs one module
 * - fleet.js: the operator's commands
 * - skerry.js: the command line, which imports one of the others
 *
 * A device strips no types and loads no file that it does not run: a bundle costs a fraction of the memory that the
 * packages' own module graphs do.
 */
import { rm, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));
const outdir = `${root}dist`;

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  platform: "node",
  format: "esm",
  target: "node24",
  legalComments: "none",
  // Brings a native addon that is loaded from its own folder; imported only where a policy names a real port.
  external: ["serialport"],
  // CommonJS packages in an ES module bundle ask for Node's own modules by `require`.
  banner: {
    js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
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

await rm(outdir, { recursive: true, force: true });
await build({ ...common, entryPoints: ["agent/index.ts"], outfile: "dist/agent.js" });
await build({ ...common, entryPoints: ["sandbox/worker.ts"], outfile: "dist/worker.js" });
await build({ ...common, entryPoints: ["fleet/main.ts"], outfile: "dist/fleet.js" });
await build({ ...common, entryPoints: ["skerry.ts"], outfile: "dist/skerry.js", plugins: [halves] });

for (const name of ["agent.js", "worker.js", "fleet.js", "skerry.js"]) {
  const { size } = await stat(`${outdir}/${name}`);
  console.log(`dist/${name.padEnd(10)} ${(size / 1024).toFixed(1).padStart(8)} KiB`);
}
