/**
 * Random values of a component's types, as JavaScript holds them (jco's conventions), and whether two are the same.
 */

import { isDeepStrictEqual } from "node:util";
import type { PrimitiveKind } from "../../sandbox/component/ast.ts";
import { camelCase } from "../../sandbox/component/names.ts";
import type { ResourceIdentity, ValueType } from "../../sandbox/component/validation/static-types.ts";
import type { Random } from "./random.ts";

/** Where handles come from: objects for the resource, of the host's or of the guest's. */
export type ResourceSource = (identity: ResourceIdentity) => object;

const STRINGS = [
  "",
  "a",
  "\0",
  "é",
  "ÿ",
  "Ā",
  "\u{FEFF}bom",
  "\u{10FFFF}",
  "kebab-case ".repeat(9),
  "日本語".repeat(20),
];

/** Parts of one value; a type of a few bytes can have more parts than a machine has memory. */
const MAX_PARTS = 5_000;

/** Thrown where every value of the type is too large to make. */
export class ValueTooLarge extends Error {
  override readonly name = "ValueTooLarge";
}

/**
 * A random value of the type.
 *
 * @throws ValueTooLarge
 */
export function randomValue(random: Random, type: ValueType, resources: ResourceSource): unknown {
  return boundedValue(random, type, resources, { parts: MAX_PARTS });
}

function boundedValue(
  random: Random,
  type: ValueType,
  resources: ResourceSource,
  left: { parts: number },
): unknown {
  const { shape } = type;
  left.parts -= 1;
  if (left.parts < 0) throw new ValueTooLarge("a value of this type has too many parts");
  const value = (part: ValueType) => boundedValue(random, part, resources, left);
  const optional = (part: ValueType | undefined) => (part === undefined ? undefined : value(part));
  switch (shape.kind) {
    case "primitive":
      return randomPrimitive(random, shape.primitive);
    case "record":
      return Object.fromEntries(shape.fields.map(({ label, type: part }) => [camelCase(label), value(part)]));
    case "variant": {
      const chosen = random.pick(shape.cases);
      return { tag: chosen.label, val: optional(chosen.type) };
    }
    case "list":
      return randomList(random, left, () => value(shape.element));
    case "tuple":
      return shape.elements.map(value);
    case "flags":
      return Object.fromEntries(shape.labels.map((label) => [camelCase(label), random.percent(50)]));
    case "enum":
      return random.pick(shape.labels);
    case "option": {
      const isTagged = shape.some.shape.kind === "option";
      if (random.percent(40)) return isTagged ? { tag: "none" } : undefined;
      return isTagged ? { tag: "some", val: value(shape.some) } : value(shape.some);
    }
    case "result": {
      const isOk = random.percent(60);
      return { tag: isOk ? "ok" : "err", val: optional(isOk ? shape.ok : shape.error) };
    }
    case "own":
    case "borrow":
      return resources(shape.resource.identity);
  }
}

/** Few elements, now and then many; as many as the value may still have parts. */
function randomList(random: Random, left: { readonly parts: number }, element: () => unknown): unknown[] {
  const list: unknown[] = [];
  const count = random.percent(3) ? random.below(2_000) : random.below(6);
  while (list.length < count && left.parts > MAX_PARTS / 2) list.push(element());
  return list;
}

function randomPrimitive(random: Random, kind: PrimitiveKind): unknown {
  switch (kind) {
    case "bool":
      return random.percent(50);
    case "char":
      return random.pick(["a", "\0", "é", "\u{D7FF}", "\u{E000}", "\u{10FFFF}"]);
    case "string":
      return random.times(random.below(3), () => random.pick(STRINGS)).join("");
    case "f32":
    case "f64": {
      const float = random.pick([0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, -1e30, random.bits() / 7]);
      return kind === "f32" ? Math.fround(float) : float;
    }
    default:
      return randomInteger(random, kind);
  }
}

function randomInteger(random: Random, kind: string): number | bigint {
  const bits = Number(kind.slice(1));
  const pattern = random.percent(30)
    ? random.pick([0n, 1n, -1n, 1n << BigInt(bits - 1)])
    : (BigInt(random.bits()) << 32n) | BigInt(random.bits());
  const integer = kind.startsWith("u") ? BigInt.asUintN(bits, pattern) : BigInt.asIntN(bits, pattern);
  return bits === 64 ? integer : Number(integer);
}

/** A value of no type in particular. */
export function randomJunk(random: Random): unknown {
  const junk: readonly unknown[] = [
    undefined,
    null,
    0,
    -1,
    2n ** 70n,
    "",
    "x",
    Number.NaN,
    [],
    [null],
    {},
    { tag: "ok" },
  ];
  return random.pick([
    ...junk,
    { tag: 1, val: {} },
    { length: 2 ** 32 },
    new Uint8Array(3),
    Symbol.iterator,
    () => 0,
  ]);
}

/** Whether two values of one type are the same, typed arrays and arrays alike. */
export function isSame(left: unknown, right: unknown): boolean {
  return isDeepStrictEqual(plain(left), plain(right));
}

function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([key, member]) => [key, plain(member)]));
}
