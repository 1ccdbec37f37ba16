/** Checks of single TOML values for the typed reader: right, or what is wrong with them in words that follow the key. */

import { nearestName } from "./nearest-name.ts";
import type { TomlTable } from "./toml.ts";

/** What a string has to look like; `expected` says so in words ("a fleet name: …"). */
export type StringRule = {
  readonly pattern?: RegExp;
  readonly expected?: string;
  readonly oneOf?: readonly string[];
  readonly maxLength?: number;
};

/** Bounds, both inclusive, in the unit that the method returns. */
export type RangeRule = { readonly min?: number; readonly max?: number };

/** Longest string that is taken where the rule states no other bound, in UTF-16 units. */
const MAX_STRING_LENGTH = 1_024;

/** What a conversion found wrong, in words that follow the key; `at` is the item of a list. */
type Wrong = { readonly wrong: string; readonly at?: number };
export type Converted<T> = { readonly right: T } | Wrong;

/** A string by its rule. */
export function convertString(value: unknown, rule: StringRule): Converted<string> {
  if (typeof value !== "string") {
    return { wrong: "must be a string" };
  }
  const maxLength = rule.maxLength ?? MAX_STRING_LENGTH;
  if (value.length > maxLength) {
    return { wrong: `must have at most ${maxLength} characters` };
  }
  if (rule.oneOf !== undefined && !rule.oneOf.includes(value)) {
    const nearest = nearestName(value, rule.oneOf);
    const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
    return { wrong: `must be one of ${quoteAll(rule.oneOf)}${hint}` };
  }
  if (rule.pattern !== undefined && !rule.pattern.test(value)) {
    return { wrong: `must be ${rule.expected ?? `written like ${rule.pattern.source}`}` };
  }
  return { right: value };
}

/** A list whose items are all right; names the first that is not. */
export function convertList<T>(
  value: unknown,
  maxItems: number | undefined,
  convert: (item: unknown) => Converted<T>,
): Converted<T[]> {
  if (!Array.isArray(value)) {
    return { wrong: "must be a list" };
  }
  if (maxItems !== undefined && value.length > maxItems) {
    return { wrong: `must have at most ${maxItems} items` };
  }
  const items: T[] = [];
  for (const [index, item] of value.entries()) {
    const converted = convert(item);
    if ("wrong" in converted) {
      return { wrong: converted.wrong, at: index };
    }
    items.push(converted.right);
  }
  return { right: items };
}

/** A number within bounds; `format` writes a bound for people. */
export function inRange(
  value: number,
  rule: RangeRule,
  format: (value: number) => string,
): Converted<number> {
  if (rule.min !== undefined && value < rule.min) {
    return { wrong: `must be at least ${format(rule.min)}` };
  }
  if (rule.max !== undefined && value > rule.max) {
    return { wrong: `must be at most ${format(rule.max)}` };
  }
  return { right: value };
}

/** Whether a value is a table; smol-toml gives dates as objects too. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** A list of names for a message. */
export function quoteAll(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
