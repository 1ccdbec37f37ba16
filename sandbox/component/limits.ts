/**
 * Bounds on everything that a component's author controls, before any of it runs.
 *
 * Chosen well above what wit-component and `jco componentize` emit (a JavaScript component: 13 core modules,
 * about 1,000 definitions, nesting 2), and low enough that a hostile file cannot make a 64 MB device run short
 * of memory or stack while it is being looked at.
 */

/** Nesting of components, component types and instance types, counted together, in levels. */
export const MAX_NESTING_LEVELS = 64;

/**
 * Entries of all vectors of one component file together (definitions, fields, arguments, core imports …), each of about
 * 100 bytes once decoded. A JavaScript component of 13 core modules has 3,700.
 */
export const MAX_VECTOR_ENTRIES = 50_000;

/** Length of one name, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 10_000;

/** One embedded core module, in bytes. */
export const MAX_CORE_MODULE_BYTES = 64 * 1024 * 1024;

/** Parameters of one function type, at the component level and at the core level. */
export const MAX_FUNCTION_PARAMETERS = 1_000;

/** Locals aside, entries of the function index space of one core module (the JavaScript API's own limit). */
export const MAX_CORE_FUNCTIONS = 1_000_000;

/** Instructions of one constant expression of a core module. */
export const MAX_CONSTANT_INSTRUCTIONS = 1_000;

/** How deep a type may refer to other types, in levels (a `list<list<u8>>` has two). */
export const MAX_TYPE_LEVELS = 100;

/**
 * Type nodes that validation may visit or make anew for one component file: bounds what sharing makes exponential, in
 * nodes of 200 bytes or less. A JavaScript command with all of wasi:cli takes about 11,000.
 */
export const MAX_VALIDATION_STEPS = 100_000;

/** What one element of a list may occupy in linear memory, in bytes; the bound is exclusive (Binary.md). */
export const MAX_ELEMENT_BYTES = 2 ** 28;

/** What is left of a component file once its custom sections are dropped, in bytes. */
export const MAX_COMPONENT_BYTES = 64 * 1024 * 1024;

/** Sections of a component file and of the core modules in it together, custom ones included. */
export const MAX_FILE_SECTIONS = 20_000;

/** Custom sections kept with a core module ("name"), in bytes each; larger ones are dropped like the others. */
export const MAX_KEPT_NAME_SECTION_BYTES = 256 * 1024;

/**
 * Steps that a device takes to check the core modules of one component (core-cost.ts). One takes up to 13 ns on x86-64, and ten
 * times that on a slow ARM core; a JavaScript component of 1.6 MB has a tenth of them.
 */
export const MAX_CORE_CHECK_STEPS = 2 ** 28;

/** Declarations of locals that count as one step: the engine takes 0.6 ns for each. */
export const MAX_LOCALS_PER_CHECK_STEP = 16;

/** Operands of one instruction of a module with structs or arrays: the engine's own limit. */
export const MAX_GC_OPERANDS = 10_000;

/**
 * Code of one core function, in bytes. The engine optimises a function that runs often on threads of its own, outside every
 * limit of the module, and takes 110 bytes of memory for each byte of it. The largest of QuickJS has 54 KB.
 */
export const MAX_FUNCTION_BYTES = 256 * 1024;
