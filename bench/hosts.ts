/**
 * The three hosts that `npm run bench -- sandbox` holds side by side for the component of calls/: this loader, jco's
 * transpiled glue, and a host written by hand for exactly its signatures.
 *
 * The one by hand is what a careful author would write: views of the whole memory that are taken anew only when it
 * grew, one encoder and one decoder, no check that these signatures don't need.
 */
import { compileComponent, instantiateComponent } from "../sandbox/component/index.ts";

interface Reading {
  readonly value: number;
  readonly unit: string;
  readonly timeNs: bigint;
}

/** The component's exports. */
export interface Calls {
  readonly add: (a: number, b: number) => number;
  readonly echo: (text: string) => string;
  readonly stats: (values: Float64Array) => number;
  readonly measure: (channel: number) => number;
}

let timeNs = 1_700_000_000_000_000_000n;

/** The component's import: a sensor whose clock moves on. */
function sample(channel: number): Reading {
  timeNs += 1_000_000n;
  return { value: channel + 0.5, unit: "Cel", timeNs };
}

/** The same for the glue, which imports it by name. */
export const SAMPLE_SOURCE = `let timeNs = 1_700_000_000_000_000_000n;
export function sample(channel) {
  timeNs += 1_000_000n;
  return { value: channel + 0.5, unit: "Cel", timeNs };
}
`;

/** This loader. */
export function loaderHost(component: Uint8Array): Calls {
  const { exports } = instantiateComponent(compileComponent(component), { "skerry:bench/probe": { sample } });
  return exports["skerry:bench/calls"] as Calls;
}

/** jco's glue, transpiled into a file beforehand. */
export async function glueHost(gluePath: string): Promise<Calls> {
  const { calls } = (await import(gluePath)) as { readonly calls: Calls };
  return calls;
}

interface CoreExports {
  readonly memory: WebAssembly.Memory;
  readonly cabi_realloc: (old: number, oldBytes: number, alignment: number, bytes: number) => number;
  readonly "skerry:bench/calls#add": (a: number, b: number) => number;
  readonly "skerry:bench/calls#echo": (pointer: number, length: number) => number;
  readonly "cabi_post_skerry:bench/calls#echo": (result: number) => void;
  readonly "skerry:bench/calls#stats": (pointer: number, length: number) => number;
  readonly "skerry:bench/calls#measure": (channel: number) => number;
}

/** By hand, on the component's core module. */
export function handWrittenHost(coreModule: Uint8Array<ArrayBuffer>): Calls {
  const imports = { "skerry:bench/probe": { sample: storeSample } };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(coreModule), imports);
  const core = instance.exports as unknown as CoreExports;
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let bytes = new Uint8Array(core.memory.buffer);
  let doubles = new Float64Array(core.memory.buffer);
  let view = new DataView(core.memory.buffer);
  let written = 0;

  function refresh(): void {
    if (bytes.length > 0) return;
    bytes = new Uint8Array(core.memory.buffer);
    doubles = new Float64Array(core.memory.buffer);
    view = new DataView(core.memory.buffer);
  }

  /** Returns the pointer; the length is in `written`. */
  function storeString(text: string): number {
    const room = text.length * 3;
    const pointer = core.cabi_realloc(0, 0, 1, room) >>> 0;
    refresh();
    written = encoder.encodeInto(text, bytes.subarray(pointer, pointer + room)).written;
    return pointer;
  }

  function storeSample(channel: number, result: number): void {
    const reading = sample(channel >>> 0);
    const unit = storeString(reading.unit);
    view.setFloat64(result, reading.value, true);
    view.setUint32(result + 8, unit, true);
    view.setUint32(result + 12, written, true);
    view.setBigUint64(result + 16, reading.timeNs, true);
  }

  return {
    add: (a, b) => core["skerry:bench/calls#add"](a, b) >>> 0,
    echo(text) {
      const pointer = storeString(text);
      const result = core["skerry:bench/calls#echo"](pointer, written) >>> 0;
      refresh();
      const start = view.getUint32(result, true);
      const echoed = decoder.decode(bytes.subarray(start, start + view.getUint32(result + 4, true)));
      core["cabi_post_skerry:bench/calls#echo"](result);
      return echoed;
    },
    stats(values) {
      const pointer = core.cabi_realloc(0, 0, 8, values.length * 8) >>> 0;
      refresh();
      doubles.set(values, pointer / 8);
      return core["skerry:bench/calls#stats"](pointer, values.length);
    },
    measure: (channel) => core["skerry:bench/calls#measure"](channel),
  };
}
