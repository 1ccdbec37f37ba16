/**
 * External visibility: the types that an import or export mentions need names that whoever is outside can refer to.
 *
 * Component Model, Explainer.md "External Visibility of Types". Resources and records, variants, enums and flags have
 * to be imported or exported under a name of their own before they are used; other value types may stay anonymous.
 */

import { weightOf } from "./layout.ts";
import type { AnyType, Extern, FunctionType, ValueType } from "./static-types.ts";
import { partsOf } from "./substitute.ts";
import { type StepBudget, violation } from "./violation.ts";

export type Direction = "import" | "export";

/** The names of types that are visible outside one component or component type. */
export class VisibleTypes {
  readonly #imported = new Set<AnyType>();
  /** Exports may mention what is imported, not the other way round. */
  readonly #exported = new Set<AnyType>();
  readonly #steps: StepBudget;

  constructor(steps: StepBudget) {
    this.#steps = steps;
  }

  /** Checks that what `extern` mentions is visible, and makes the types that it names visible. */
  declare(name: string, extern: Extern, direction: Direction): void {
    this.#steps.spend(extern.sort === "core-module" ? 1 : weightOf(extern.type));
    switch (extern.sort) {
      case "core-module":
      case "component":
        return; // Closed: their types are visible in them.
      case "func":
        if (!this.#functionNamed(extern.type, direction))
          throw invisible(`the function "${name}"`, direction);
        return;
      case "type":
        if (!this.#mentionsNamed(extern.type, direction)) throw invisible(`the type "${name}"`, direction);
        this.#add(extern.type, direction);
        return;
      case "instance":
        for (const [member, part] of extern.type.exports) this.declare(`${name}/${member}`, part, direction);
        return;
    }
  }

  #add(type: AnyType, direction: Direction): void {
    if (direction === "import") this.#imported.add(type);
    this.#exported.add(type);
  }

  #has(type: AnyType, direction: Direction): boolean {
    return (direction === "import" ? this.#imported : this.#exported).has(type);
  }

  /** Whether everything below a type that is being named has a name. */
  #mentionsNamed(type: AnyType, direction: Direction): boolean {
    switch (type.sort) {
      case "resource":
      case "component":
        return true;
      case "value":
        return partsOf(type).every((part) => this.#named(part, direction, new Set()));
      case "function":
        return this.#functionNamed(type, direction);
      case "instance":
        for (const extern of type.exports.values()) {
          if (extern.sort === "core-module" || extern.sort === "component") continue;
          this.#steps.spend(weightOf(extern.type));
          if (!this.#mentionsNamed(extern.type, direction)) return false;
        }
        return true;
    }
  }

  #functionNamed(type: FunctionType, direction: Direction): boolean {
    const checked = new Set<AnyType>();
    const { parameters, result } = type;
    if (!parameters.every((parameter) => this.#named(parameter.type, direction, checked))) return false;
    return result === undefined || this.#named(result, direction, checked);
  }

  /** Whether a type that is mentioned has a name, or needs none and consists of such types. */
  #named(type: AnyType, direction: Direction, checked: Set<AnyType>): boolean {
    if (checked.has(type)) return true;
    checked.add(type);
    this.#steps.spend(weightOf(type));
    if (type.sort !== "value" || needsName(type)) return this.#has(type, direction);
    return partsOf(type).every((part) => this.#named(part, direction, checked));
  }
}

function needsName(type: ValueType): boolean {
  const { kind } = type.shape;
  return kind === "record" || kind === "variant" || kind === "enum" || kind === "flags";
}

function invisible(what: string, direction: Direction): Error {
  return violation(`${what} mentions a type without a visible name, so it cannot be used as an ${direction}`);
}
