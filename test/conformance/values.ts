/**
 * Component values in scripts (`u32.const 7`, `record.const (field "n" u32.const 7)` …), as they are in JavaScript.
 */

import { camelCase } from "../../sandbox/component/names.ts";
import type { Expression } from "./wast.ts";

/** The value that a parenthesised constant stands for. */
export function constantValue(expression: Expression): unknown {
  if (expression.kind !== "list") throw new Error("a constant has to stand in parentheses");
  return constantOf(expression.items);
}

function constantOf([head, ...rest]: readonly Expression[]): unknown {
  if (head?.kind !== "atom") throw new Error("a constant has to start with its type");
  switch (head.text) {
    case "bool.const":
      return word(rest[0]) === "true";
    case "u64.const":
    case "s64.const":
      return wideInteger(word(rest[0]));
    case "f32.const":
    case "f64.const":
      return float(word(rest[0]));
    case "str.const":
    case "char.const":
    case "enum.const":
      return text(rest[0]);
    case "list.const":
    case "tuple.const":
      return rest.map(constantValue);
    case "record.const":
      return Object.fromEntries(rest.map(field));
    case "variant.const":
      return tagged(text(rest[0]), rest[1]);
    case "option.none":
      return undefined;
    case "option.some":
      return optionalValue(rest[0]);
    case "result.ok":
      return { tag: "ok", val: optionalValue(rest[0]) };
    case "result.err":
      return { tag: "err", val: optionalValue(rest[0]) };
    case "flags.const":
      return Object.fromEntries(rest.map((label) => [camelCase(text(label)), true]));
    default:
      if (/^[us](8|16|32)\.const$/.test(head.text)) return Number(wideInteger(word(rest[0])));
      throw new Error(`unknown constant ${head.text}`);
  }
}

function tagged(tag: string, payload: Expression | undefined): unknown {
  return payload === undefined ? { tag } : { tag, val: constantValue(payload) };
}

function optionalValue(payload: Expression | undefined): unknown {
  return payload === undefined ? undefined : constantValue(payload);
}

/** `(field "name" u32.const 7)`: the value has no parentheses of its own. */
function field(expression: Expression): [string, unknown] {
  if (expression.kind !== "list") throw new Error("a field has to stand in parentheses");
  return [camelCase(text(expression.items[1])), constantOf(expression.items.slice(2))];
}

function word(expression: Expression | undefined): string {
  if (expression?.kind !== "atom") throw new Error("a number is missing");
  return expression.text.replaceAll("_", "");
}

export function text(expression: Expression | undefined): string {
  if (expression?.kind !== "string") throw new Error("a string is missing");
  return new TextDecoder().decode(expression.bytes);
}

function wideInteger(digits: string): bigint {
  return digits.startsWith("-") ? -BigInt(digits.slice(1)) : BigInt(digits);
}

function float(digits: string): number {
  if (digits.startsWith("nan")) return Number.NaN;
  if (digits === "inf") return Number.POSITIVE_INFINITY;
  if (digits === "-inf") return Number.NEGATIVE_INFINITY;
  return Number(digits);
}

/** Whether a call returned what the script expects. Flags that the script does not mention are not set. */
export function sameValue(actual: unknown, expected: unknown): boolean {
  if (ArrayBuffer.isView(actual)) return sameValue(Array.from(actual as Uint8Array), expected);
  if (Array.isArray(actual)) {
    return (
      Array.isArray(expected) &&
      actual.length === expected.length &&
      actual.every((one, index) => sameValue(one, expected[index]))
    );
  }
  if (typeof actual !== "object" || actual === null) return Object.is(actual, expected);
  if (typeof expected !== "object" || expected === null) return false;
  const keys = new Set([...Object.keys(actual), ...Object.keys(expected)]);
  return [...keys].every((key) => {
    const [one, other] = [Reflect.get(actual, key), Reflect.get(expected, key)];
    return sameValue(one, other) || (one === false && other === undefined);
  });
}
