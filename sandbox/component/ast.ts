/**
 * The abstract syntax of a component, as the binary format has it.
 *
 * Component Model, Binary.md ("Component Definitions" to "Import and Export Definitions"), synchronous part:
 * WASI 0.2's. Definitions keep the binary's order and its unresolved indices; the validator and the linker each
 * build the index spaces from it, one statically, the other per instantiation.
 */

/** Numeric index into one of a component's index spaces (u32). */
type Index = number;

export type PrimitiveKind =
  | "bool"
  | "s8"
  | "u8"
  | "s16"
  | "u16"
  | "s32"
  | "u32"
  | "s64"
  | "u64"
  | "f32"
  | "f64"
  | "char"
  | "string";

/** `valtype`: a primitive, or an index into the type index space. */
export type ValueTypeRef = PrimitiveKind | Index;

export interface LabelledType {
  readonly label: string;
  readonly type: ValueTypeRef;
}

export interface CaseDefinition {
  readonly label: string;
  readonly type: ValueTypeRef | undefined;
}

/** `defvaltype`. */
export type ValueTypeDefinition =
  | { readonly kind: "primitive"; readonly primitive: PrimitiveKind }
  | { readonly kind: "record"; readonly fields: readonly LabelledType[] }
  | { readonly kind: "variant"; readonly cases: readonly CaseDefinition[] }
  | { readonly kind: "list"; readonly element: ValueTypeRef }
  | { readonly kind: "tuple"; readonly elements: readonly ValueTypeRef[] }
  | { readonly kind: "flags"; readonly labels: readonly string[] }
  | { readonly kind: "enum"; readonly labels: readonly string[] }
  | { readonly kind: "option"; readonly some: ValueTypeRef }
  | {
      readonly kind: "result";
      readonly ok: ValueTypeRef | undefined;
      readonly error: ValueTypeRef | undefined;
    }
  | { readonly kind: "own"; readonly resource: Index }
  | { readonly kind: "borrow"; readonly resource: Index };

export interface FunctionTypeDefinition {
  readonly kind: "function";
  readonly parameters: readonly LabelledType[];
  readonly result: ValueTypeRef | undefined;
}

export interface ResourceTypeDefinition {
  readonly kind: "resource";
  /** Core function index of the destructor, `(func (param i32))`. */
  readonly destructor: Index | undefined;
}

export interface ComponentTypeDefinition {
  readonly kind: "component";
  readonly declarations: readonly Declaration[];
}

export interface InstanceTypeDefinition {
  readonly kind: "instance";
  readonly declarations: readonly Declaration[];
}

/** `deftype`. */
export type TypeDefinition =
  | ValueTypeDefinition
  | FunctionTypeDefinition
  | ResourceTypeDefinition
  | ComponentTypeDefinition
  | InstanceTypeDefinition;

/** A declarator of a component or instance type; an instance type has no `import`. */
export type Declaration =
  | { readonly kind: "core-type"; readonly type: CoreTypeDefinition }
  | { readonly kind: "type"; readonly type: TypeDefinition }
  | { readonly kind: "alias"; readonly alias: Alias }
  | { readonly kind: "import"; readonly name: ExternName; readonly type: ExternType }
  | { readonly kind: "export"; readonly name: ExternName; readonly type: ExternType };

/** `externtype`. */
export type ExternType =
  | { readonly kind: "core-module"; readonly type: Index }
  | { readonly kind: "function"; readonly type: Index }
  | { readonly kind: "type"; readonly bound: TypeBound }
  | { readonly kind: "component"; readonly type: Index }
  | { readonly kind: "instance"; readonly type: Index };

/** `typebound`: `(eq i)` or `(sub resource)`. */
export type TypeBound = { readonly kind: "equal"; readonly type: Index } | { readonly kind: "sub-resource" };

/** `externname` with its attributes as they stand in the binary. */
export interface ExternName {
  readonly name: string;
  /** Only of names in the long form (0x02). They carry meaning for tools, none for linking. */
  readonly attributes?: readonly NameAttribute[];
}

/** `attribute`: which interface a plain name implements, what was cut off a version, a host's own identifier. */
export interface NameAttribute {
  readonly kind: "implements" | "version-suffix" | "external-id";
  readonly value: string;
}

export type CoreSort = "func" | "table" | "memory" | "global" | "tag" | "type" | "module" | "instance";
export type ComponentSort = "func" | "value" | "type" | "component" | "instance";
/** A sort of the component level, or a core sort with its prefix. */
export type Sort = ComponentSort | `core-${CoreSort}`;

export interface SortIndex {
  readonly sort: Sort;
  readonly index: Index;
}

export type Alias =
  | { readonly kind: "export"; readonly sort: Sort; readonly instance: Index; readonly name: string }
  | { readonly kind: "core-export"; readonly sort: CoreSort; readonly instance: Index; readonly name: string }
  | { readonly kind: "outer"; readonly sort: Sort; readonly count: number; readonly index: Index };

export type CoreInstanceDefinition =
  | {
      readonly kind: "instantiate";
      readonly module: Index;
      /** `(with name (instance i))`. */
      readonly args: readonly { readonly name: string; readonly instance: Index }[];
    }
  | {
      readonly kind: "exports";
      readonly exports: readonly { readonly name: string; readonly sort: CoreSort; readonly index: Index }[];
    };

export type InstanceDefinition =
  | {
      readonly kind: "instantiate";
      readonly component: Index;
      readonly args: readonly { readonly name: string; readonly item: SortIndex }[];
    }
  | {
      readonly kind: "exports";
      readonly exports: readonly { readonly name: ExternName; readonly item: SortIndex }[];
    };

export type StringEncoding = "utf8" | "utf16" | "latin1+utf16";

/** `opts`, with duplicates already refused; absent ones are `undefined`. */
export interface CanonicalOptions {
  readonly stringEncoding: StringEncoding;
  /** Core memory index. */
  readonly memory: Index | undefined;
  /** Core function index. */
  readonly realloc: Index | undefined;
  /** Core function index; `lift` only. */
  readonly postReturn: Index | undefined;
}

export type Canonical =
  | {
      readonly kind: "lift";
      /** Core function index. */
      readonly function: Index;
      readonly options: CanonicalOptions;
      /** Type index of the function's type. */
      readonly type: Index;
    }
  | { readonly kind: "lower"; readonly function: Index; readonly options: CanonicalOptions }
  | { readonly kind: "resource.new" | "resource.drop" | "resource.rep"; readonly resource: Index };

/** One definition of a component, in the binary's order. */
export type Definition =
  | { readonly kind: "core-module"; readonly module: CoreModule }
  | { readonly kind: "core-instance"; readonly instance: CoreInstanceDefinition }
  | { readonly kind: "core-type"; readonly type: CoreTypeDefinition }
  | { readonly kind: "component"; readonly component: ComponentDefinition }
  | { readonly kind: "instance"; readonly instance: InstanceDefinition }
  | { readonly kind: "alias"; readonly alias: Alias }
  | { readonly kind: "type"; readonly type: TypeDefinition }
  | { readonly kind: "canonical"; readonly canonical: Canonical }
  | { readonly kind: "import"; readonly name: ExternName; readonly type: ExternType }
  | {
      readonly kind: "export";
      readonly name: ExternName;
      readonly item: SortIndex;
      readonly type: ExternType | undefined;
    };

export interface ComponentDefinition {
  readonly definitions: readonly Definition[];
  /** Byte offset of this component's preamble in the outermost component's bytes, for messages. */
  readonly offset: number;
}

/**
 * An embedded core module: its bytes (a view, not a copy) and what the validator and the linker read of them. Imports
 * and exports are the validator's alone: they are left empty in a component that was validated before.
 */
export interface CoreModule {
  readonly bytes: Uint8Array;
  /** Byte offset in the outermost component's bytes, for messages. */
  readonly offset: number;
  readonly imports: readonly CoreImport[];
  readonly exports: readonly CoreExport[];
  /** Memories that the module defines itself (imported ones are in `imports`). */
  readonly memories: readonly CoreLimits[];
  /** Tables that the module defines itself. */
  readonly tables: readonly CoreTableType[];
}

export interface CoreLimits {
  /** Pages of 64 KiB for a memory, elements for a table. */
  readonly minimum: number;
  readonly maximum: number | undefined;
  readonly shared: boolean;
  /** Addressed by `i64` (memory64). */
  readonly address64: boolean;
}

export interface CoreTableType {
  readonly element: string;
  readonly limits: CoreLimits;
}

export type CoreValueKind = "i32" | "i64" | "f32" | "f64" | "v128" | "funcref" | "externref" | (string & {});

export interface CoreFunctionType {
  readonly parameters: readonly CoreValueKind[];
  readonly results: readonly CoreValueKind[];
}

/** `core:externtype`. */
export type CoreExternType =
  | { readonly kind: "func"; readonly type: CoreFunctionType }
  | { readonly kind: "table"; readonly type: CoreTableType }
  | { readonly kind: "memory"; readonly limits: CoreLimits }
  | { readonly kind: "global"; readonly value: CoreValueKind; readonly mutable: boolean }
  | { readonly kind: "tag"; readonly type: CoreFunctionType };

export interface CoreImport {
  readonly module: string;
  readonly name: string;
  readonly type: CoreExternType;
}

export interface CoreExport {
  readonly name: string;
  readonly type: CoreExternType;
}

/** `core:deftype`: a function type, or a module type with its declarations resolved. */
export type CoreTypeDefinition =
  | { readonly kind: "core-function"; readonly type: CoreFunctionType }
  | { readonly kind: "core-module-type"; readonly declarations: readonly CoreModuleDeclaration[] };

export type CoreModuleDeclaration =
  | { readonly kind: "type"; readonly type: CoreTypeDefinition }
  | { readonly kind: "alias"; readonly count: number; readonly index: Index }
  | {
      readonly kind: "import";
      readonly module: string;
      readonly name: string;
      readonly type: CoreExternTypeRef;
    }
  | { readonly kind: "export"; readonly name: string; readonly type: CoreExternTypeRef };

/** As `CoreExternType`, its function types still indices into the module type's own type index space. */
export type CoreExternTypeRef =
  | { readonly kind: "func"; readonly type: Index }
  | { readonly kind: "table"; readonly type: CoreTableType }
  | { readonly kind: "memory"; readonly limits: CoreLimits }
  | { readonly kind: "global"; readonly value: CoreValueKind; readonly mutable: boolean }
  | { readonly kind: "tag"; readonly type: Index };
