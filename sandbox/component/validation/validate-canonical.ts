/**
 * Validation of canonical definitions.
 *
 * Component Model, CanonicalABI.md "Canonical Definitions" (`canon lift`, `canon lower`, `canon resource.*`) and
 * "Canonical ABI" options, synchronous part with 32-bit memories.
 */

import type { Canonical, CanonicalOptions, CoreFunctionType } from "../ast.ts";
import { concatenateFlat, type FlatType, MAX_FLAT_PARAMETERS, MAX_FLAT_RESULTS } from "./layout.ts";
import { sameCoreFunction, showCoreFunction } from "./match-core.ts";
import { at, type Scope } from "./scope.ts";
import type { FunctionType } from "./static-types.ts";
import { resourceAt } from "./validate-types.ts";
import { unsupportedViolation, violation } from "./violation.ts";

const REALLOC: CoreFunctionType = { parameters: ["i32", "i32", "i32", "i32"], results: ["i32"] };
const RESOURCE_TO_I32: CoreFunctionType = { parameters: ["i32"], results: ["i32"] };
const RESOURCE_DROP: CoreFunctionType = { parameters: ["i32"], results: [] };

/** Appends the function that a canonical definition makes to its index space. */
export function validateCanonical(canonical: Canonical, scope: Scope): void {
  switch (canonical.kind) {
    case "lift":
      scope.functions.push(validateLift(canonical, scope));
      return;
    case "lower":
      scope.coreFunctions.push(validateLower(canonical, scope));
      return;
    case "resource.drop":
      resourceAt(scope, canonical.resource);
      scope.coreFunctions.push(RESOURCE_DROP);
      return;
    case "resource.new":
    case "resource.rep":
      // Only who defines a resource type may see what stands behind its handles.
      if (!scope.localResources.has(resourceAt(scope, canonical.resource).identity)) {
        throw violation(
          `${canonical.kind} needs a local resource, type index ${canonical.resource} is not one`,
        );
      }
      scope.coreFunctions.push(RESOURCE_TO_I32);
      return;
  }
}

/** What a function's values need of the canonical options. */
interface Passing {
  /** Flattened: what spills goes by one pointer instead. */
  readonly parameters: readonly FlatType[];
  readonly results: readonly FlatType[];
  readonly parametersSpill: boolean;
  readonly resultsSpill: boolean;
  readonly parametersPoint: boolean;
  readonly resultsPoint: boolean;
}

function passingOf(type: FunctionType): Passing {
  const values = type.parameters.map((parameter) => parameter.type);
  const parameters = concatenateFlat(values);
  const results = type.result?.layout.flat ?? [];
  return {
    parameters,
    results,
    parametersSpill: parameters.length > MAX_FLAT_PARAMETERS,
    resultsSpill: results.length > MAX_FLAT_RESULTS,
    parametersPoint: values.some((value) => value.layout.containsPointer),
    resultsPoint: type.result?.layout.containsPointer === true,
  };
}

function validateLift(lift: Extract<Canonical, { kind: "lift" }>, scope: Scope): FunctionType {
  const type = at(scope.types, lift.type, "type");
  if (type.sort !== "function") throw violation(`type index ${lift.type} is not a function type`);
  const core = at(scope.coreFunctions, lift.function, "core function");
  const passing = passingOf(type);
  const expected = flattenLifted(passing);
  if (!sameCoreFunction(core, expected)) {
    throw violation(
      `a lifted function has to be ${showCoreFunction(expected)}, not ${showCoreFunction(core)}`,
    );
  }
  const receives = passing.parametersSpill || passing.parametersPoint;
  const needsMemory = receives || passing.resultsSpill || passing.resultsPoint;
  validateOptions(lift.options, { needsMemory, needsRealloc: receives }, scope);
  if (lift.options.postReturn !== undefined) {
    const postReturn = at(scope.coreFunctions, lift.options.postReturn, "core function");
    if (!sameCoreFunction(postReturn, { parameters: core.results, results: [] })) {
      throw violation(
        `post-return has to take ${showCoreFunction(core)}'s results, not ${showCoreFunction(postReturn)}`,
      );
    }
  }
  return type;
}

function validateLower(lower: Extract<Canonical, { kind: "lower" }>, scope: Scope): CoreFunctionType {
  const passing = passingOf(at(scope.functions, lower.function, "function"));
  if (lower.options.postReturn !== undefined) throw violation("post-return cannot be given to a lower");
  const sends = passing.parametersSpill || passing.parametersPoint;
  const needsMemory = sends || passing.resultsSpill || passing.resultsPoint;
  validateOptions(lower.options, { needsMemory, needsRealloc: passing.resultsPoint }, scope);
  return flattenLowered(passing);
}

/** `flatten_functype` for `lift`. */
function flattenLifted(passing: Passing): CoreFunctionType {
  return {
    parameters: passing.parametersSpill ? ["i32"] : passing.parameters,
    results: passing.resultsSpill ? ["i32"] : passing.results,
  };
}

/** `flatten_functype` for `lower`: the caller says where a result that spills goes. */
function flattenLowered(passing: Passing): CoreFunctionType {
  const parameters = passing.parametersSpill ? (["i32"] as const) : passing.parameters;
  if (!passing.resultsSpill) return { parameters, results: passing.results };
  return { parameters: [...parameters, "i32"], results: [] };
}

function validateOptions(
  options: CanonicalOptions,
  needs: { readonly needsMemory: boolean; readonly needsRealloc: boolean },
  scope: Scope,
): void {
  if (options.memory !== undefined) {
    const memory = at(scope.coreMemories, options.memory, "core memory");
    if (memory.address64) throw unsupportedViolation("a 64-bit memory (memory64)");
    if (memory.shared) throw unsupportedViolation("a shared memory (threads)");
  }
  if (options.realloc !== undefined) {
    const realloc = at(scope.coreFunctions, options.realloc, "core function");
    if (!sameCoreFunction(realloc, REALLOC)) {
      throw violation(`realloc has to be ${showCoreFunction(REALLOC)}, not ${showCoreFunction(realloc)}`);
    }
    if (options.memory === undefined) throw violation("the canonical option realloc needs the option memory");
  }
  if (needs.needsMemory && options.memory === undefined)
    throw violation("the canonical option memory is missing");
  if (needs.needsRealloc && options.realloc === undefined)
    throw violation("the canonical option realloc is missing");
}
