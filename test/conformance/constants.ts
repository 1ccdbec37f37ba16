/**
 * Constants in scripts (`u32.const 7`, `record.const (field "n" u32.const 7)` …), as they are in JavaScript.
 *
 * Component values by jco's conventions; core values by the WebAssembly JavaScript API. A NaN is any NaN: JavaScript does
 * not keep its bits, and the canonical ABI may change them (CanonicalABI.md `canonicalize_nan`).
 */

import { camelCase } from "../../sandbox/component/names.ts";
import { NotSupported } from "./outcome.ts";
import type { Expression } from "./wast.ts";

/** The value that a parenthesised constant stands for. */
export function constantValue(expression: Expression): unknown {
  return constantOf(constantItems(expression));
}

/** The words of a constant, its type first. */
export function constantItems(expression: Expression): readonly Expression[] {
  if (expression.kind !== "list") throw new Error("a constant has to stand in parentheses");
  return expression.items;
}

/** A payload has parentheses of its own (`option.some (u8.const 1)`) or none (`field "n" u8.const 1`). */
export function payloadItems(rest: readonly Expression[]): readonly Expression[] {
  const [first] = rest;
  return first?.kind === "list" ? first.items : rest;
}

/** The first word of a constant: its type. */
export function constantType(items: readonly Expression[]): string {
  const [head] = items;
  if (head?.kind !== "atom") throw new Error("a constant has to start with its type");
  return head.text;
}

/** The value of a constant whose words these are. */
export function constantOf(items: readonly Expression[]): unknown {
  const type = constantType(items);
  const rest = items.slice(1);
  switch (type) {
    case "bool.const":
      return ["true", "1"].includes(word(rest[0]));
    case "str.const":
    case "char.const":
    case "enum.const":
      return text(rest[0]);
    case "list.const":
    case "tuple.const":
      return rest.map(constantValue);
    case "record.const":
      return Object.fromEntries(rest.map((field) => namedField(field, constantOf)));
    case "variant.const":
      return tagged(text(rest[0]), rest.slice(1));
    case "option.none":
      return undefined;
    case "option.some":
      return some(payloadItems(rest));
    case "result.ok":
      return tagged("ok", rest);
    case "result.err":
      return tagged("err", rest);
    case "flags.const":
      return Object.fromEntries(rest.map((label) => [camelCase(text(label)), true]));
    case "ref.null":
      return null;
    case "ref.extern":
    case "ref.host":
      return word(rest[0]);
    default:
      return number(type, rest[0]);
  }
}

/** An option of an option is tagged, since `undefined` can't say which of the two is empty. */
function some(items: readonly Expression[]): unknown {
  const val = constantOf(items);
  return constantType(items).startsWith("option.") ? { tag: "some", val } : val;
}

function tagged(tag: string, payload: readonly Expression[]): unknown {
  return payload.length === 0 ? { tag } : { tag, val: constantOf(payloadItems(payload)) };
}

/** `(field "name" u32.const 7)` or `(field "name" (u32.const 7))`. */
export function namedField<T>(
  expression: Expression,
  value: (items: readonly Expression[]) => T,
): [string, T] {
  if (expression.kind !== "list") throw new Error("a field has to stand in parentheses");
  const named = expression.items.slice(expression.items[0]?.kind === "atom" ? 1 : 0);
  return [camelCase(text(named[0])), value(payloadItems(named.slice(1)))];
}

function number(type: string, digits: Expression | undefined): unknown {
  const match = /^([usi]|f)(8|16|32|64)\.const$/.exec(type);
  if (match === null) throw new NotSupported(`constants of the form ${type}`);
  const [, family, width] = match;
  if (family === "f") return width === "32" ? Math.fround(float(word(digits))) : float(word(digits));
  const integer = wideInteger(word(digits));
  const bits = Number(width);
  const wrapped = family === "u" ? BigInt.asUintN(bits, integer) : BigInt.asIntN(bits, integer);
  return bits === 64 ? wrapped : Number(wrapped);
}

function word(expression: Expression | undefined): string {
  if (expression?.kind !== "atom") throw new Error("a number is missing");
  return expression.text.replaceAll("_", "");
}

/** The text of a string expression. */
export function text(expression: Expression | undefined): string {
  if (expression?.kind !== "string") throw new Error("a string is missing");
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(expression.bytes);
}

function wideInteger(digits: string): bigint {
  const unsigned = BigInt(digits.replace(/^[+-]/, ""));
  return digits.startsWith("-") ? -unsigned : unsigned;
}

function float(digits: string): number {
  const unsigned = digits.replace(/^[+-]/, "");
  const sign = digits.startsWith("-") ? -1 : 1;
  if (unsigned.startsWith("nan")) return Number.NaN;
  if (unsigned === "inf") return sign * Number.POSITIVE_INFINITY;
  return sign * (unsigned.startsWith("0x") ? hexadecimalFloat(unsigned) : Number(unsigned));
}

/** `0x1.8p3`: digits, with a fraction, times a power of two. */
function hexadecimalFloat(digits: string): number {
  const match = /^0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?$/i.exec(digits);
  if (match === null) throw new Error(`${digits} is no hexadecimal number`);
  const [, whole = "", fraction = "", exponent = "0"] = match;
  const mantissa = Number(BigInt(`0x0${whole}${fraction}`));
  const power = Number(exponent) - 4 * fraction.length;
  // In two steps: the power of two alone may be out of range where the product is not.
  const half = Math.trunc(power / 2);
  return mantissa * 2 ** half * 2 ** (power - half);
}
