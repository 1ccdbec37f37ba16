/**
 * `skerry module inspect`: what a component imports and exports, how large it is, and what a manifest and a policy have
 * to say so that it runs. Nothing of the component runs.
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { DEFAULT_CODE_BYTES } from "../devices/limits.ts";
import { formatSize } from "../ota/units.ts";
import type { ComponentDescription } from "../sandbox/component/component-type.ts";
import { hasExport, hostInterface, isKeyvalueInterface, isNetworkInterface } from "../sandbox/imports.ts";
import type { World } from "../sandbox/module-spec.ts";
import { messageOf } from "./errors.ts";
import type { ModuleCommandIo } from "./module-command.ts";

const USAGE = `usage: skerry module inspect <component.wasm> [--json]

  --json    one JSON object instead of text
  --help    print this
`;

const PAGE_BYTES = 65_536;

/** What `--json` prints. */
interface Inspection {
  readonly file: string;
  readonly sizeBytes: number;
  readonly world: World | null;
  readonly imports: readonly InspectedImport[];
  readonly exports: readonly { readonly name: string; readonly functions: readonly string[] }[];
  /** Functions that this version of Skerry does not have, or has with other types: the component would be refused. */
  readonly misfits: readonly string[];
  readonly coreModules: readonly InspectedModule[];
  /** WebAssembly code in all of them: what a grant's `code` bounds. */
  readonly codeBytes: number;
  /** Sum of the memories' minima, and of their maxima if all of them have one. */
  readonly memory: { readonly minimumBytes: number; readonly maximumBytes: number | null };
  /** Tables of module.toml and of device.toml to begin with; the names in them are to be chosen. */
  readonly manifest: string;
  readonly policy: string;
}

interface InspectedImport {
  readonly name: string;
  readonly functions: readonly string[];
  /** `always` there, `grant` needed, or `unknown` to this version of Skerry. */
  readonly supply: "always" | "grant" | "unknown";
}

interface InspectedModule {
  readonly sizeBytes: number;
  readonly memories: readonly { readonly minimumBytes: number; readonly maximumBytes: number | null }[];
}

/** Runs the command (without the words `skerry module inspect`) and resolves to its exit code: 0, 1 or 2. */
export async function moduleInspectCommand(argv: readonly string[], io: ModuleCommandIo): Promise<number> {
  let path: string | undefined;
  let json = false;
  try {
    const options = { json: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    if (values.help) {
      io.stdout.write(USAGE);
      return 0;
    }
    json = values.json ?? false;
    [path] = positionals;
    if (path === undefined || positionals.length > 1) throw new Error("give the path of one component");
  } catch (error) {
    io.stderr.write(`error: ${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  try {
    const inspection = await inspect(path);
    io.stdout.write(json ? `${JSON.stringify(inspection)}\n` : textOf(inspection));
    return 0;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const reason = code === "ENOENT" ? "there is no such file" : messageOf(error);
    io.stderr.write(
      `error: ${path}: ${reason}${code === undefined || code === "ENOENT" ? "" : ` (${code})`}\n`,
    );
    return 1;
  }
}

async function inspect(path: string): Promise<Inspection> {
  const { checkCoreModules, compileComponent } = await import("../sandbox/component/index.ts");
  const { componentCodeBytes } = await import("../sandbox/component/code-size.ts");
  const { coreModules } = await import("../sandbox/component/limit-memory.ts");
  const { readComponentFile } = await import("../sandbox/strip.ts");
  const component = compileComponent(await readComponentFile(path));
  checkCoreModules(component);
  const { findMisfits } = await import("../sandbox/signatures/check.ts");
  const misfits = await findMisfits(component.definition);
  const { imports, exports } = component.description;
  const modules = coreModules(component.definition).map(({ bytes, memories }) => ({
    sizeBytes: bytes.byteLength,
    memories: memories.map(({ minimum, maximum }) => ({
      minimumBytes: minimum * PAGE_BYTES,
      maximumBytes: maximum === undefined ? null : maximum * PAGE_BYTES,
    })),
  }));
  const world = worldOf(exports);
  const memory = memoryOf(modules);
  const codeBytes = componentCodeBytes(component);
  return {
    file: basename(path),
    sizeBytes: (await stat(path)).size,
    world,
    imports: imports.map(({ name, functions }) => ({ name, functions, supply: supplyOf(name) })),
    exports: exports.map(({ name, functions }) => ({ name, functions })),
    misfits: misfits.map(({ message }) => message),
    coreModules: modules,
    codeBytes,
    memory,
    ...grantsOf(imports, exports, world, { minimumBytes: memory.minimumBytes, codeBytes }),
  };
}

function worldOf(exports: ComponentDescription["exports"]): World | null {
  const has = (name: string) => exports.some((one) => one.name.startsWith(`${name}@`));
  if (has("wasi:cli/run")) return "command";
  return has("skerry:module/lifecycle") ? "reactor" : null;
}

function supplyOf(name: string): InspectedImport["supply"] {
  const wanted = hostInterface(name);
  if (wanted === undefined) return "unknown";
  const isGranted = isNetworkInterface(wanted) || isKeyvalueInterface(wanted);
  return wanted.startsWith("wasi:") && !isGranted ? "always" : "grant";
}

function memoryOf(modules: readonly InspectedModule[]): Inspection["memory"] {
  const memories = modules.flatMap((module) => module.memories);
  let [minimumBytes, maximumBytes]: [number, number | null] = [0, 0];
  for (const memory of memories) {
    minimumBytes += memory.minimumBytes;
    maximumBytes =
      maximumBytes === null || memory.maximumBytes === null ? null : maximumBytes + memory.maximumBytes;
  }
  return { minimumBytes, maximumBytes };
}

/** What to write for each import that needs a grant; the names are examples. */
const REQUESTS: readonly (readonly [wanted: string, line: string])[] = [
  ["skerry:device/sensor", 'sensor = ["ambient"]'],
  ["skerry:device/serial", 'serial = ["modbus0"]'],
  ["skerry:module/messaging", 'publish = ["telemetry/#"]'],
];

/** A key stands in a table once: the first of these that is imported. The last is for what was brought along unasked. */
const NETWORK_REQUESTS: readonly (readonly [wanted: string, line: string])[] = [
  ["wasi:http/outgoing-handler", 'network = ["api.example.org:443"]'],
  [
    "wasi:sockets/tcp-create-socket",
    'network = ["plc.example.org:502"]    # and listen = ["*:8080"] if it serves',
  ],
  ["wasi:sockets/udp-create-socket", 'network = ["10.0.0.5:5683/udp"]'],
  ["wasi:", "network = []"],
];

function networkLine(names: readonly (string | undefined)[]): string[] {
  const found = NETWORK_REQUESTS.find(([wanted]) => names.some((name) => name?.startsWith(wanted)));
  return found === undefined ? [] : [found[1]];
}

function grantsOf(
  imports: ComponentDescription["imports"],
  exports: ComponentDescription["exports"],
  world: World | null,
  { minimumBytes, codeBytes }: { readonly minimumBytes: number; readonly codeBytes: number },
): { manifest: string; policy: string } {
  const names = new Set(imports.map(({ name }) => hostInterface(name)));
  const lines = REQUESTS.filter(([wanted]) => [...names].some((name) => name === wanted)).map(
    ([, line]) => line,
  );
  lines.push(...networkLine([...names].filter((name) => name !== undefined && isNetworkInterface(name))));
  if (hasExport(exports, "skerry:module/message-handler")) lines.push('subscribe = ["message/#"]');
  // Every libc imports files, and few modules keep some: without storage they find none.
  const keepsFiles = names.has("wasi:filesystem/preopens");
  const keepsValues = [...names].some((name) => name !== undefined && isKeyvalueInterface(name));
  if (keepsValues) lines.push('storage = "64KiB"');
  const storage = keepsFiles && !keepsValues ? ['# storage = "1MiB"    # if it keeps files, in /data'] : [];
  // Room to grow: a heap begins beyond the minimum.
  const memory = `memory = "${Math.max(1, Math.ceil((minimumBytes * 2) / 1024 ** 2))}MiB"`;
  const isLarge = codeBytes > DEFAULT_CODE_BYTES;
  const code = isLarge ? [`code = "${Math.ceil(codeBytes / 1024 ** 2)}MiB"`] : [];
  return {
    manifest: [`world = "${world ?? "command"}"`, "", "[request]", ...lines, memory, ...storage, ""].join(
      "\n",
    ),
    policy: ["[[grant]]", 'module = "publisher/name"', ...lines, memory, ...code, ...storage, ""].join("\n"),
  };
}

function textOf(inspection: Inspection): string {
  const { file, sizeBytes, world, imports, exports, misfits } = inspection;
  const { coreModules, codeBytes, memory, manifest, policy } = inspection;
  const modules = coreModules.map(({ sizeBytes: bytes }) => formatSize(bytes)).join(", ");
  const maximum = memory.maximumBytes === null ? "no maximum" : `at most ${formatSize(memory.maximumBytes)}`;
  return [
    `${file}: ${formatSize(sizeBytes)}, world ${world ?? "unknown: exports neither wasi:cli/run nor skerry:module/lifecycle"}`,
    `core modules: ${coreModules.length} (${modules}), ${formatSize(codeBytes)} of code`,
    `memory: ${formatSize(memory.minimumBytes)}, ${maximum}`,
    "",
    "imports",
    ...imports.flatMap(({ name, functions, supply }) => listed(name, functions, NOTES[supply])),
    "",
    "exports",
    ...exports.flatMap(({ name, functions }) => listed(name, functions, "")),
    "",
    ...(misfits.length === 0 ? [] : ["would be refused, since it", ...misfits.map((one) => `  ${one}`), ""]),
    "module.toml needs, with names of the device's policy",
    "",
    indented(manifest),
    "device.toml has to grant",
    "",
    indented(policy),
  ].join("\n");
}

const NOTES: Readonly<Record<InspectedImport["supply"], string>> = {
  always: "",
  grant: "  needs a grant",
  unknown: "  UNKNOWN: this version of Skerry does not have it",
};

function listed(name: string, functions: readonly string[], note: string): string[] {
  return [`  ${name}${note}`, ...functions.map((one) => `    ${one}`)];
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}
