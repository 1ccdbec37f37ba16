/**
 * The part of the WebAssembly JavaScript API that the sandbox uses: TypeScript declares it with the DOM's types only.
 *
 * WebAssembly JavaScript Interface 3.0.
 */

declare namespace WebAssembly {
  type ExportValue = ((...args: unknown[]) => unknown) | Memory | Table | Global | Tag;
  type Imports = Record<string, Record<string, unknown>>;

  class Module {
    constructor(bytes: Uint8Array);
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Readonly<Record<string, ExportValue>>;
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }

  class Table {
    readonly length: number;
  }

  class Global {
    readonly value: unknown;
  }

  class Tag {
    private constructor();
  }

  class Exception {
    private constructor();
  }

  class RuntimeError extends Error {}
  class LinkError extends Error {}
  class CompileError extends Error {}

  function validate(bytes: Uint8Array): boolean;
}
