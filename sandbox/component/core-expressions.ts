/**
 * Passing over constant expressions: the initial values of globals and tables.
 *
 * WebAssembly Core 3.0 §3.4.12 "Constant Expressions", the extended ones (integer arithmetic) and the GC ones included.
 */

import { readHeapType } from "./core-types.ts";
import { MAX_CONSTANT_INSTRUCTIONS } from "./limits.ts";
import type { ByteReader } from "./reader.ts";

const END = 0x0b;
const GC_PREFIX = 0xfb;
const VECTOR_PREFIX = 0xfd;

/** Reads up to and including the `end` of a constant expression. */
export function skipConstantExpression(reader: ByteReader): void {
  for (let count = 0; count < MAX_CONSTANT_INSTRUCTIONS; count += 1) {
    const opcode = reader.byte("a constant expression");
    if (opcode === END) return;
    skipImmediates(reader, opcode);
  }
  throw reader.limitExceeded("a constant expression", `${MAX_CONSTANT_INSTRUCTIONS} instructions`);
}

function skipImmediates(reader: ByteReader, opcode: number): void {
  switch (opcode) {
    case 0x41: // i32.const
      reader.skipLeb128(5, "a constant");
      return;
    case 0x42: // i64.const
      reader.skipLeb128(10, "a constant");
      return;
    case 0x43: // f32.const
      reader.skip(4, "a constant");
      return;
    case 0x44: // f64.const
      reader.skip(8, "a constant");
      return;
    case 0x23: // global.get
    case 0xd2: // ref.func
      reader.u32("an index");
      return;
    case 0xd0: // ref.null
      readHeapType(reader);
      return;
    case 0x6a: // i32.add, i32.sub, i32.mul
    case 0x6b:
    case 0x6c:
    case 0x7c: // i64.add, i64.sub, i64.mul
    case 0x7d:
    case 0x7e:
      return;
    case VECTOR_PREFIX:
      if (reader.u32("a vector instruction") !== 12) throw reader.invalid("only v128.const is constant");
      reader.skip(16, "a constant");
      return;
    case GC_PREFIX:
      skipGcImmediates(reader);
      return;
    default:
      throw reader.invalid(`instruction 0x${opcode.toString(16)} is not constant`);
  }
}

function skipGcImmediates(reader: ByteReader): void {
  const opcode = reader.u32("a GC instruction");
  switch (opcode) {
    case 0: // struct.new, struct.new_default, array.new, array.new_default
    case 1:
    case 6:
    case 7:
      reader.u32("a type index");
      return;
    case 8: // array.new_fixed
      reader.u32("a type index");
      reader.u32("a length");
      return;
    case 26: // any.convert_extern, extern.convert_any, ref.i31
    case 27:
    case 28:
      return;
    default:
      throw reader.invalid(`GC instruction ${opcode} is not constant`);
  }
}
