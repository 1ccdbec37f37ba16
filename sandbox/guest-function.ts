/** Functions that a module exports, found by the interface's name whatever its version. */

import { type ExportedInterface, exportName } from "./imports.ts";
import type { LoadedModule } from "./run-module.ts";

type GuestFunction = (...args: readonly unknown[]) => unknown;

/** `name` in camelCase; undefined when the module exports no such interface or function. */
export function guestFunction(
  module: Pick<LoadedModule, "exports" | "instance">,
  wanted: ExportedInterface,
  name: string,
): GuestFunction | undefined {
  const exact = exportName(module.exports, wanted);
  const exported: unknown = exact === undefined ? undefined : module.instance.exports[exact];
  if (typeof exported !== "object" || exported === null) {
    return undefined;
  }
  const found: unknown = Reflect.get(exported, name);
  return typeof found === "function" ? (...args) => found(...args) : undefined;
}

/** Did the guest return the `error` case of its `result`? It is thrown with its `payload`. */
export function isErrorResult(error: unknown): error is Error & { readonly payload: unknown } {
  return error instanceof Error && "payload" in error;
}
