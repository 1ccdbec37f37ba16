/**
 * Subtyping of core modules and of what they import and export.
 *
 * WebAssembly Core 3.0 §3.3 "Matching" for extern types, and the Component Model's rule for module types: a module may
 * import less and export more than is expected.
 */

import type { CoreExternType, CoreFunctionType, CoreLimits } from "../ast.ts";
import type { CoreModuleType } from "./static-types.ts";

/** Why `actual` may not stand where `expected` is; `undefined` if it may. */
export function coreModuleMismatch(actual: CoreModuleType, expected: CoreModuleType): string | undefined {
  const supplied = new Map(
    expected.imports.map((entry) => [importKey(entry.module, entry.name), entry.type]),
  );
  for (const { module, name, type } of actual.imports) {
    const found = supplied.get(importKey(module, name));
    if (found === undefined) return `missing core import "${module}" "${name}"`;
    const mismatch = coreExternMismatch(found, type);
    if (mismatch !== undefined) return `core import "${module}" "${name}": ${mismatch}`;
  }
  for (const [name, type] of expected.exports) {
    const found = actual.exports.get(name);
    if (found === undefined) return `missing core export "${name}"`;
    const mismatch = coreExternMismatch(found, type);
    if (mismatch !== undefined) return `core export "${name}": ${mismatch}`;
  }
  return undefined;
}

/** One key for the two levels of a core import's name; both parts may contain anything. */
export function importKey(module: string, name: string): string {
  return JSON.stringify([module, name]);
}

/** Why `actual` may not be supplied for a core import of type `expected`; `undefined` if it may. */
export function coreExternMismatch(actual: CoreExternType, expected: CoreExternType): string | undefined {
  if (actual.kind === "func" && expected.kind === "func") return functionMismatch(actual.type, expected.type);
  if (actual.kind === "tag" && expected.kind === "tag") return functionMismatch(actual.type, expected.type);
  if (actual.kind === "memory" && expected.kind === "memory")
    return limitsMismatch(actual.limits, expected.limits);
  if (actual.kind === "table" && expected.kind === "table") {
    if (actual.type.element !== expected.type.element) {
      return `expected a table of ${expected.type.element}, found one of ${actual.type.element}`;
    }
    return limitsMismatch(actual.type.limits, expected.type.limits);
  }
  if (actual.kind === "global" && expected.kind === "global") {
    if (actual.mutable !== expected.mutable) return "the mutability of globals differs";
    return actual.value === expected.value
      ? undefined
      : `expected a global of ${expected.value}, found one of ${actual.value}`;
  }
  return `expected ${expected.kind}, found ${actual.kind}`;
}

function functionMismatch(actual: CoreFunctionType, expected: CoreFunctionType): string | undefined {
  return sameCoreFunction(actual, expected)
    ? undefined
    : `expected ${showCoreFunction(expected)}, found ${showCoreFunction(actual)}`;
}

export function sameCoreFunction(left: CoreFunctionType, right: CoreFunctionType): boolean {
  return sameKinds(left.parameters, right.parameters) && sameKinds(left.results, right.results);
}

function sameKinds(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((kind, index) => kind === right[index]);
}

/** A core function type as messages show it. */
export function showCoreFunction(type: CoreFunctionType): string {
  return `[${type.parameters.join(" ")}] -> [${type.results.join(" ")}]`;
}

function limitsMismatch(actual: CoreLimits, expected: CoreLimits): string | undefined {
  if (actual.shared !== expected.shared) return "one is shared, the other is not";
  if (actual.address64 !== expected.address64) return "one is addressed by i64, the other by i32";
  if (actual.minimum < expected.minimum) {
    return `a minimum of ${actual.minimum} where ${expected.minimum} is expected`;
  }
  if (expected.maximum === undefined) return undefined;
  if (actual.maximum !== undefined && actual.maximum <= expected.maximum) return undefined;
  return `a maximum of ${actual.maximum ?? "none"} where ${expected.maximum} is expected`;
}
