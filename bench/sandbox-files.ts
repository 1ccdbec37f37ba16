/**
 * What `npm run bench -- sandbox` measures, made anew in a temporary folder: the loader bundled as a device runs it, the two
 * components, and jco's glue for each with the shim that jco wires in by default.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { build } from "esbuild";
import { wholeWit } from "../examples/wit.ts";
import { SAMPLE_SOURCE } from "./hosts.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const POLLER = join(ROOT, "examples/modbus-js");
const JCO = join(ROOT, "node_modules/@bytecodealliance/jco/dist/jco.js");

const SERIAL_SOURCE = `export class Port { read() {} write() {} }
export function open() { return new Port(); }
`;

export interface SandboxFiles {
  /** sandbox-process.ts, with worker.js beside it. */
  readonly process: string;
  /** Minified bytes of what a worker loads for a component that its agent has validated. */
  readonly loaderBytes: number;
  /** Minified bytes of what `compileComponent` needs: the same and the validator. */
  readonly withValidatorBytes: number;
  readonly calls: { readonly component: string; readonly glue: string };
  /** The JavaScript example as `jco componentize` builds it: with the WASI that QuickJS imports. */
  readonly quickjs: { readonly component: string; readonly glue: string };
  /** The C example, for the worker. */
  readonly thermo: string;
}

/** Makes the files, hands them to `use`, and removes them. */
export async function withSandboxFiles<Result>(
  use: (files: SandboxFiles) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-bench-"));
  try {
    return await use(await makeFiles(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeFiles(folder: string): Promise<SandboxFiles> {
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  // The glue imports the shim by its package's name.
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const calls = join(ROOT, "bench/calls/calls.wasm");
  const quickjs = join(folder, "poller.wasm");
  await componentizePoller(folder, quickjs);
  return {
    process: await bundleProcess(join(folder, "bundle")),
    loaderBytes: await bundledSize("sandbox/component/loader.ts", folder),
    withValidatorBytes: await bundledSize("sandbox/component/index.ts", folder),
    calls: {
      component: calls,
      glue: await transpile(calls, "calls", join(folder, "calls"), {
        "skerry:bench/probe": SAMPLE_SOURCE,
      }),
    },
    quickjs: {
      component: quickjs,
      glue: await transpile(quickjs, "poller", join(folder, "poller"), {
        "skerry:device/serial": SERIAL_SOURCE,
        "skerry:module/messaging": "export function publish() {}",
      }),
    },
    thermo: join(ROOT, "examples/thermo-c/thermo-1.0.0.wasm"),
  };
}

const BUNDLED = {
  absWorkingDir: ROOT,
  bundle: true,
  minify: true,
  platform: "node",
  format: "esm",
  target: "node24",
  legalComments: "none",
} as const;

async function bundleProcess(folder: string): Promise<string> {
  const entryPoints = ["bench/sandbox-process.ts", "sandbox/worker.ts"];
  await build({ ...BUNDLED, splitting: true, entryPoints, entryNames: "[name]", outdir: folder });
  return join(folder, "sandbox-process.js");
}

async function bundledSize(entryPoint: string, folder: string): Promise<number> {
  const outfile = join(folder, "size.js");
  await build({ ...BUNDLED, entryPoints: [entryPoint], outfile });
  return (await stat(outfile)).size;
}

/** The poller of examples/ once more, this time with WASI: its committed build has it stubbed out. */
async function componentizePoller(folder: string, outfile: string): Promise<void> {
  const wit = join(folder, "poller.wit");
  await writeFile(wit, wholeWit(join(POLLER, "modbus.wit")));
  const backend = ["--backend", "qjs", "--backend-qjs-disable-async"];
  const args = [
    "componentize",
    join(POLLER, "modbus.js"),
    "--wit",
    wit,
    "--world-name",
    "modbus",
    ...backend,
  ];
  await promisify(execFile)(process.execPath, [JCO, ...args, "--out", outfile]);
}

/** jco's glue as its command line makes it; `hosts` is the JavaScript of the other imports, by their names. */
async function transpile(
  component: string,
  name: string,
  folder: string,
  hosts: Readonly<Record<string, string>>,
): Promise<string> {
  const map: Record<string, string> = {};
  const written: Record<string, string | Uint8Array> = {};
  for (const [index, [imported, source]] of Object.entries(hosts).entries()) {
    map[imported] = `./host-${index}.js`;
    written[`host-${index}.js`] = source;
  }
  Object.assign(written, (await transpileBytes(await readFile(component), { name, map })).files);
  for (const [path, content] of Object.entries(written)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return join(folder, `${name}.js`);
}
