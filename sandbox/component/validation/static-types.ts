/**
 * Types as the validator resolves them: indices replaced by what they refer to.
 *
 * Component Model, Binary.md "Type Definitions".
 *
 * Identity matters twice. A resource type is its `ResourceIdentity`: two resource types are equal if that is the same
 * object. And every *name* of a type, which is what an import or export gives it, is an object of its own: the same
 * record imported under two names is two `ValueType` objects that are structurally equal. External visibility is
 * decided by those objects (Explainer.md "External Visibility of Types").
 */

import type { CoreExternType, CoreImport, PrimitiveKind } from "../ast.ts";
import { MAX_ELEMENT_BYTES, MAX_TYPE_LEVELS } from "../limits.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { limitViolation, violation } from "./violation.ts";

/** What makes a resource type unlike every other; `description` is for messages. */
export interface ResourceIdentity {
  readonly description: string;
}

export interface ResourceType {
  readonly sort: "resource";
  readonly identity: ResourceIdentity;
}

export interface StaticField {
  readonly label: string;
  readonly type: ValueType;
}

export interface StaticCase {
  readonly label: string;
  readonly type: ValueType | undefined;
}

export type ValueShape =
  | { readonly kind: "primitive"; readonly primitive: PrimitiveKind }
  | { readonly kind: "record"; readonly fields: readonly StaticField[] }
  | { readonly kind: "variant"; readonly cases: readonly StaticCase[] }
  | { readonly kind: "list"; readonly element: ValueType }
  | { readonly kind: "tuple"; readonly elements: readonly ValueType[] }
  | { readonly kind: "flags"; readonly labels: readonly string[] }
  | { readonly kind: "enum"; readonly labels: readonly string[] }
  | { readonly kind: "option"; readonly some: ValueType }
  | { readonly kind: "result"; readonly ok: ValueType | undefined; readonly error: ValueType | undefined }
  | { readonly kind: "own" | "borrow"; readonly resource: ResourceType };

export interface ValueType {
  readonly sort: "value";
  readonly shape: ValueShape;
  readonly layout: Layout;
}

export interface FunctionType {
  readonly sort: "function";
  readonly parameters: readonly StaticField[];
  readonly result: ValueType | undefined;
  readonly levels: number;
}

export interface InstanceType {
  readonly sort: "instance";
  readonly exports: ReadonlyMap<string, Extern>;
  /** Resources that an instance type declares: bound in it, fresh for each instance. Concrete instances have none. */
  readonly declaredResources: readonly ResourceIdentity[];
  readonly levels: number;
}

export interface ComponentType {
  readonly sort: "component";
  readonly imports: ReadonlyMap<string, Extern>;
  readonly exports: ReadonlyMap<string, Extern>;
  /** Resources that an instantiation supplies. */
  readonly importedResources: readonly ResourceIdentity[];
  /** Resources that each instantiation makes anew. */
  readonly definedResources: readonly ResourceIdentity[];
  readonly levels: number;
}

export interface CoreModuleType {
  readonly imports: readonly CoreImport[];
  readonly exports: ReadonlyMap<string, CoreExternType>;
}

/** Whatever a type index may refer to. */
export type AnyType = ValueType | FunctionType | ResourceType | InstanceType | ComponentType;

/** The type of an import or export, by its sort. */
export type Extern =
  | { readonly sort: "core-module"; readonly type: CoreModuleType }
  | { readonly sort: "func"; readonly type: FunctionType }
  | { readonly sort: "type"; readonly type: AnyType }
  | { readonly sort: "instance"; readonly type: InstanceType }
  | { readonly sort: "component"; readonly type: ComponentType };

/**
 * A value type of that shape.
 *
 * @throws Violation if it is nested too deeply, or an element of it would take 2^28 bytes or more.
 */
export function valueType(shape: ValueShape): ValueType {
  const layout = layoutOf(shape);
  if (layout.levels > MAX_TYPE_LEVELS) {
    throw limitViolation(`types nested more than ${MAX_TYPE_LEVELS} levels deep`);
  }
  if (layout.elementBytes >= MAX_ELEMENT_BYTES) {
    throw violation(`a value of this ${shape.kind} would take ${layout.elementBytes} bytes, 2^28 or more`);
  }
  return { sort: "value", shape, layout };
}

const primitiveTypes = new Map<PrimitiveKind, ValueType>();

/** The type of a primitive that stands where a type is mentioned: it has no name, so that one object does for all. */
export function primitiveType(primitive: PrimitiveKind): ValueType {
  const known = primitiveTypes.get(primitive);
  if (known !== undefined) return known;
  const type = valueType({ kind: "primitive", primitive });
  primitiveTypes.set(primitive, type);
  return type;
}

/** The same type under a name of its own. */
export function renamed(type: AnyType): AnyType {
  return { ...type };
}

/** The types that the externs of an instance or component have, core modules left out. */
export function* typesOf(externs: ReadonlyMap<string, Extern>): Generator<AnyType> {
  for (const extern of externs.values()) if (extern.sort !== "core-module") yield extern.type;
}
