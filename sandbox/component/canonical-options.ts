/**
 * Canonical options as a context for lifting and lowering; equal options of one component instance share theirs.
 *
 * Component Model, CanonicalABI.md "Canonical ABI Options".
 */

import { LiftLowerContext, type Realloc } from "./abi/context.ts";
import type { CanonicalOptions, StringEncoding } from "./ast.ts";
import { at, type ComponentScope } from "./scope.ts";

/** The contexts of one component instance so far. A component has a handful of combinations. */
export type ContextCache = {
  readonly memory: WebAssembly.Memory | undefined;
  readonly realloc: Realloc | undefined;
  readonly stringEncoding: StringEncoding;
  readonly context: LiftLowerContext;
}[];

export function canonicalContext(
  options: CanonicalOptions,
  scope: ComponentScope,
  cache: ContextCache,
): LiftLowerContext {
  const { stringEncoding } = options;
  const memory =
    options.memory === undefined ? undefined : at(scope.core.memory, options.memory, "core memory");
  const realloc =
    options.realloc === undefined ? undefined : at(scope.core.func, options.realloc, "core function");
  const known = cache.find(
    (one) => one.memory === memory && one.realloc === realloc && one.stringEncoding === stringEncoding,
  );
  if (known !== undefined) return known.context;
  const context = new LiftLowerContext(scope.instance, stringEncoding, memory, realloc);
  cache.push({ memory, realloc, stringEncoding, context });
  return context;
}
