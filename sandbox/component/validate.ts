/**
 * Validation of a component: everything that can be known of it without running it.
 *
 * Component Model, Binary.md and Explainer.md (validation rules of each kind of definition), synchronous part. Core
 * code is not looked at: the engine validates it when it compiles the module. Definitions are taken in order, each
 * against the index spaces that the ones before it filled.
 */

import type { ComponentDefinition, Definition } from "./ast.ts";
import { ComponentError } from "./errors.ts";
import { MAX_VALIDATION_STEPS } from "./limits.ts";
import { Matcher } from "./validation/match.ts";
import { Scope } from "./validation/scope.ts";
import type { ComponentType } from "./validation/static-types.ts";
import { validateAlias } from "./validation/validate-aliases.ts";
import { validateCanonical } from "./validation/validate-canonical.ts";
import { coreModuleType, validateCoreInstance, validateCoreType } from "./validation/validate-core.ts";
import { exportedExternAt, validateInstance } from "./validation/validate-instances.ts";
import { addNamed, componentTypeOf, resolveExternType, resolveType } from "./validation/validate-types.ts";
import { StepBudget, Violation, violation } from "./validation/violation.ts";

/**
 * Validates a decoded component with everything nested in it.
 *
 * @throws ComponentError `component/invalid`, `component/unsupported` or `component/limit-exceeded`; the message says
 *   which definition of which component broke which rule.
 */
export function validateComponent(component: ComponentDefinition): void {
  typeOfComponent(component);
}

/** Validates a component and gives its type: what it imports and exports. Errors as `validateComponent`. */
export function typeOfComponent(component: ComponentDefinition): ComponentType {
  return componentType(component, undefined, new StepBudget(MAX_VALIDATION_STEPS));
}

function componentType(
  component: ComponentDefinition,
  parent: Scope | undefined,
  steps: StepBudget,
): ComponentType {
  const scope = new Scope("component", parent, steps);
  for (const [index, definition] of component.definitions.entries()) {
    located(component, index, definition, () => validateDefinition(definition, scope));
  }
  return located(component, component.definitions.length, undefined, () => componentTypeOf(scope));
}

/** Runs `check` and says in the error where it failed; errors of nested components say that themselves. */
function located<T>(
  component: ComponentDefinition,
  index: number,
  definition: Definition | undefined,
  check: () => T,
): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const what =
      definition === undefined ? "as a whole" : `definition ${index} (${describeDefinition(definition)})`;
    const message = `component at byte ${component.offset}, ${what}: ${error.message}`;
    throw new ComponentError(error.code, message, { cause: error, offset: component.offset });
  }
}

function describeDefinition(definition: Definition): string {
  switch (definition.kind) {
    case "import":
    case "export":
      return `${definition.kind} "${definition.name.name}"`;
    case "canonical":
      return `canon ${definition.canonical.kind}`;
    default:
      return definition.kind;
  }
}

function validateDefinition(definition: Definition, scope: Scope): void {
  switch (definition.kind) {
    case "core-module":
      scope.coreModules.push(coreModuleType(definition.module));
      return;
    case "core-instance":
      validateCoreInstance(definition.instance, scope);
      return;
    case "core-type":
      scope.coreTypes.push(validateCoreType(definition.type, scope));
      return;
    case "component":
      scope.components.push(componentType(definition.component, scope, scope.steps));
      return;
    case "instance":
      validateInstance(definition.instance, scope);
      return;
    case "alias":
      validateAlias(definition.alias, scope);
      return;
    case "type":
      scope.types.push(resolveType(definition.type, scope));
      return;
    case "canonical":
      validateCanonical(definition.canonical, scope);
      return;
    case "import": {
      const { extern, fresh } = resolveExternType(definition.type, scope, definition.name.name);
      scope.adopt(fresh, "import");
      addNamed(definition.name, extern, "import", scope);
      return;
    }
    case "export":
      validateExport(definition, scope);
      return;
  }
}

/** An export has its item's type, or the supertype of it that it was given. */
function validateExport(definition: Extract<Definition, { kind: "export" }>, scope: Scope): void {
  const actual = exportedExternAt(definition.item, scope);
  if (definition.type === undefined) {
    addNamed(definition.name, actual, "export", scope);
    return;
  }
  const { extern, fresh } = resolveExternType(definition.type, scope, definition.name.name);
  const mismatch = new Matcher(fresh, scope.steps).extern(actual, extern);
  if (mismatch !== undefined)
    throw violation(`the type given to the export does not fit its item: ${mismatch}`);
  scope.adopt(fresh, "export");
  addNamed(definition.name, extern, "export", scope);
}
