/**
 * Whether what a call gave is what a script expects.
 *
 * The expectation is compared as it is written, since one JavaScript value stands for several constants: `undefined`
 * is `option.none` as well as an absent payload.
 */

import { constantItems, constantOf, constantType, namedField, payloadItems, text } from "./constants.ts";
import type { Expression } from "./wast.ts";

/**
 * Whether a call gave the expected constants, one for each result. A function's own `result` comes unwrapped by
 * jco's conventions: the ok case's value is what the call returns.
 */
export function meetsResults(actual: unknown, expected: readonly Expression[]): boolean {
  const [only] = expected;
  if (only === undefined) return actual === undefined;
  if (expected.length > 1) return meetsAll(actual, expected);
  const [head, ...payload] = constantItems(only);
  const isOk = head?.kind === "atom" && head.text === "result.ok";
  return meets(actual, only) || (isOk && meetsPayload(actual, payload));
}

/** Whether `actual` is the value of the parenthesised constant. */
function meets(actual: unknown, expected: Expression): boolean {
  return meetsItems(actual, constantItems(expected));
}

function meetsItems(actual: unknown, items: readonly Expression[]): boolean {
  const rest = items.slice(1);
  switch (constantType(items)) {
    case "either":
      return rest.some((one) => meets(actual, one));
    case "list.const":
    case "tuple.const":
      return meetsAll(actual, rest);
    case "record.const":
      return meetsRecord(actual, new Map(rest.map((field) => namedField(field, (value) => value))));
    case "variant.const":
      return meetsTagged(actual, text(rest[0]), rest.slice(1));
    case "option.none":
      return actual === undefined || property(actual, "tag") === "none";
    case "option.some":
      return meetsSome(actual, payloadItems(rest));
    case "result.ok":
      return meetsTagged(actual, "ok", rest);
    case "result.err":
      return meetsTagged(actual, "err", rest);
    case "flags.const":
      return sameFlags(actual, constantOf(items));
    case "ref.extern":
    case "ref.func":
      if (rest.length === 0) return actual !== null && actual !== undefined;
      break;
    default:
      break;
  }
  return Object.is(actual, constantOf(items));
}

function meetsAll(actual: unknown, expected: readonly Expression[]): boolean {
  const elements = ArrayBuffer.isView(actual) ? Array.from(actual as Uint8Array) : actual;
  if (!Array.isArray(elements) || elements.length !== expected.length) return false;
  return expected.every((one, index) => meets(elements[index], one));
}

function meetsRecord(actual: unknown, expected: ReadonlyMap<string, readonly Expression[]>): boolean {
  if (typeof actual !== "object" || actual === null) return false;
  if (Object.keys(actual).length !== expected.size) return false;
  return Array.from(expected).every(
    ([key, value]) => Object.hasOwn(actual, key) && meetsItems(property(actual, key), value),
  );
}

function meetsTagged(actual: unknown, tag: string, payload: readonly Expression[]): boolean {
  if (property(actual, "tag") !== tag) return false;
  return meetsPayload(property(actual, "val"), payload);
}

function meetsPayload(actual: unknown, payload: readonly Expression[]): boolean {
  return payload.length === 0 ? actual === undefined : meetsItems(actual, payloadItems(payload));
}

/** An option of an option is tagged, any other is the value itself. */
function meetsSome(actual: unknown, payload: readonly Expression[]): boolean {
  if (constantType(payload).startsWith("option.")) return meetsTagged(actual, "some", payload);
  return meetsItems(actual, payload);
}

/** Flags that the script does not mention are not set. */
function sameFlags(actual: unknown, expected: unknown): boolean {
  if (typeof actual !== "object" || actual === null || typeof expected !== "object" || expected === null) {
    return false;
  }
  const keys = new Set([...Object.keys(actual), ...Object.keys(expected)]);
  return Array.from(keys).every((key) => property(actual, key) === (property(expected, key) ?? false));
}

function property(object: unknown, key: string): unknown {
  return typeof object === "object" && object !== null ? Reflect.get(object, key) : undefined;
}
