/**
 * One module inside its worker: read, checked, linked, run, and its end described.
 *
 * The order keeps memory low: the component's bytes are dropped once it is compiled, and only those parts of the host
 * are loaded that the component imports.
 */

import type { WorkerStart } from "./channel.ts";
import { ComponentError, Trap } from "./component/errors.ts";
import type { Component, Instance } from "./component/loader.ts";
import { formatSize } from "./component/sizes.ts";
import { SandboxError, type SandboxErrorCode } from "./errors.ts";
import {
  checkExports,
  type HostInterface,
  hostInterface,
  isKeyvalueInterface,
  isNetworkInterface,
  type KeyvalueInterface,
  type Named,
  type NetworkInterface,
  planImports,
} from "./imports.ts";
import { MAX_REPORT_LENGTH, MAX_TABLE_ELEMENTS } from "./limits.ts";
import type { ModuleSession } from "./module-session.ts";
import type { ModuleEnd } from "./module-spec.ts";
import type { WasiHost } from "./wasi/host.ts";
import { keepLongStacks, wasmStack } from "./wasm-stack.ts";

/** What linear memory grows by. */
const PAGE_BYTES = 65_536;

export interface LoadedModule {
  readonly instance: Instance;
  readonly exports: readonly Named[];
  readonly wasi: WasiHost;
}

/** Reads, checks and instantiates the component. Throws what `describeEnd` understands. */
export async function loadModule(session: ModuleSession, start: WorkerStart): Promise<LoadedModule> {
  keepLongStacks();
  const { instantiate } = await import("./component/loader.ts");
  const { ImportLookup } = await import("./component/host-imports.ts");
  const component = await loadComponent(start);
  await requireCode(component, start);
  const { imports, exports } = component.description;
  requireImports(imports, start);
  requireExports(exports, start);
  if (start.isValidated !== true) await requireTypes(component, start);
  const wasi = await loadWasi(session, start, imports);
  const { createDeviceImports } = await import("./device-imports.ts");
  const network = await loadNetwork(session, wasi, imports);
  const interfaces: Partial<Record<HostInterface, object>> = {
    ...wasi.interfaces,
    ...network,
    ...(await loadKeyvalue(wasi, imports)),
    ...createDeviceImports(session, start.grants),
  };
  const lookup = new ImportLookup({}, (name) => {
    const wanted = hostInterface(name);
    return wanted === undefined ? undefined : interfaces[wanted];
  });
  const limits = { maxMemoryBytes: start.memoryBytes, maxTableElements: MAX_TABLE_ELEMENTS };
  const instance = withinLimits(() => instantiate(component, lookup, limits));
  const firstBytes = instance.memoryBytes();
  session.watchMemory(() => {
    const bytes = instance.memoryBytes();
    return bytes > firstBytes && bytes + PAGE_BYTES > start.memoryBytes;
  });
  return { instance, exports, wasi };
}

/** What the agent answers for is loaded as it is; whatever else lies in the file is validated here. */
async function loadComponent(start: WorkerStart): Promise<Component> {
  const bytes = await readComponent(start.componentPath);
  if (start.isValidated === true) {
    const { loadValidatedComponent } = await import("./component/loader.ts");
    return loadValidatedComponent(bytes);
  }
  const { compileComponent, requireCheckableModules } = await import("./component/index.ts");
  const component = compileComponent(bytes);
  // The engine can't be interrupted while it checks and compiles, not even to end this thread.
  requireCheckableModules(component);
  return component;
}

/** What is decoded is within the loader's own limits: what exceeds one now are memories or tables. */
function withinLimits<Result>(instantiate: () => Result): Result {
  try {
    return instantiate();
  } catch (error) {
    if (error instanceof ComponentError && error.code === "component/limit-exceeded") {
      throw new SandboxError("limit/memory", error.message, { cause: error });
    }
    throw error;
  }
}

async function readComponent(path: string): Promise<Uint8Array> {
  const { readComponentFile } = await import("./strip.ts");
  try {
    return await readComponentFile(path);
  } catch (error) {
    if (error instanceof ComponentError) {
      throw error;
    }
    throw new SandboxError("sandbox/component-unreadable", `can't read ${path}: ${systemReason(error)}`, {
      cause: error,
    });
  }
}

/** Decided when the module was staged; held again, as are the imports, since policies change between staging and a start. */
async function requireCode(component: Component, { name, codeBytes }: WorkerStart): Promise<void> {
  if (codeBytes === undefined) return;
  const { componentCodeBytes } = await import("./component/code-size.ts");
  const hasBytes = componentCodeBytes(component);
  if (hasBytes <= codeBytes) return;
  throw new SandboxError(
    "sandbox/code-exceeds-grant",
    `${name} has ${formatSize(hasBytes)} of code and is granted ${formatSize(codeBytes)}: raise code in its [[grant]], or build it smaller`,
  );
}

function requireImports(imports: readonly Named[], start: WorkerStart): void {
  const { missing } = planImports(imports, start.grants);
  const first = missing[0];
  if (first !== undefined) {
    throw new SandboxError(
      first.reason === "unknown" ? "sandbox/import-unknown" : "sandbox/import-not-granted",
      `${start.name} ${missing.map(({ message }) => message).join("; ")}`,
    );
  }
}

function requireExports(exports: readonly Named[], start: WorkerStart): void {
  const missing = checkExports(exports, start.world);
  if (missing.length > 0) {
    throw new SandboxError(
      "sandbox/export-missing",
      `${start.name} does not export ${missing.join(", ")}, which the world ${start.world} demands`,
    );
  }
}

/** Part of the staging check, for a component that did not go through it. */
async function requireTypes(component: Component, start: WorkerStart): Promise<void> {
  const { findMisfits } = await import("./signatures/check.ts");
  const [first] = await findMisfits(component.definition);
  if (first !== undefined) throw new SandboxError(`sandbox/${first.kind}`, `${start.name} ${first.message}`);
}

async function loadWasi(
  session: ModuleSession,
  start: WorkerStart,
  imports: readonly Named[],
): Promise<WasiHost> {
  const { createWasiHost } = await import("./wasi/host.ts");
  const withFilesystem = imports.some(({ name }) => {
    const wanted = hostInterface(name);
    return wanted === "wasi:filesystem/types" || (wanted !== undefined && isKeyvalueInterface(wanted));
  });
  return createWasiHost(session, start, withFilesystem);
}

/** In the module's private folder; without one it was not granted, so nothing imports it. */
async function loadKeyvalue(
  { privateFolder }: WasiHost,
  imports: readonly Named[],
): Promise<Partial<Record<KeyvalueInterface, object>>> {
  const isWanted = imports.some(({ name }) => name.startsWith("wasi:keyvalue/"));
  if (!isWanted || privateFolder === undefined) return {};
  const { createKeyvalue } = await import("./wasi/keyvalue.ts");
  const { store, atomics, batch } = createKeyvalue(privateFolder);
  return { "wasi:keyvalue/store": store, "wasi:keyvalue/atomics": atomics, "wasi:keyvalue/batch": batch };
}

/** Sockets and HTTP cost memory, and few modules have a use for them. */
async function loadNetwork(
  session: ModuleSession,
  { polling }: WasiHost,
  imports: readonly Named[],
): Promise<Partial<Record<NetworkInterface, object>>> {
  const wanted = imports.flatMap(({ name }) => hostInterface(name) ?? []).filter(isNetworkInterface);
  if (wanted.length === 0) return {};
  const { createNetwork } = await import("./wasi/network.ts");
  return createNetwork(session, polling, wanted);
}

/** What an error that came out of the guest, or out of loading it, says about the module's end. */
export function describeEnd(session: ModuleSession, error: unknown): ModuleEnd {
  // A host function that ended the guest has said why; what arrives here is only how the guest was left.
  if (session.end !== undefined) {
    return session.end;
  }
  if (error instanceof Trap) {
    const { cause } = error;
    const stack = (cause instanceof Error ? cause.stack : error.stack) ?? "";
    return { kind: "trapped", code: error.code, message: cut(error.message), stack: cut(wasmStack(stack)) };
  }
  if (error instanceof SandboxError) {
    return { ...failed(error.code, error.message), stack: cut(wasmStack(error.stack ?? "")) };
  }
  if (error instanceof ComponentError) {
    return failed("sandbox/component-refused", `${error.code}: ${error.message}`);
  }
  if (error instanceof TypeError || error instanceof ReferenceError) {
    return failed("sandbox/worker-failed", `a defect of the host: ${error.stack}`);
  }
  // WASI's host functions throw plain errors where WASI says "traps": a permit exceeded, a list that must not be empty.
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return { kind: "trapped", code: "trap/wasm", message: cut(messageOf(error)), stack: cut(wasmStack(stack)) };
}

function failed(code: SandboxErrorCode, message: string): ModuleEnd & { readonly kind: "failed" } {
  return { kind: "failed", code, message: cut(message) };
}

function cut(text: string): string {
  return text.slice(0, MAX_REPORT_LENGTH);
}

/** "no such file or directory", without the code and the path that Node puts around it. */
function systemReason(error: unknown): string {
  return messageOf(error).replace(/^[A-Z]+: (.*), [a-z]+(?: '.*')?$/, "$1");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
