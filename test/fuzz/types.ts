/**
 * Random value types, as text of the component format, with the core types that they flatten to.
 *
 * Component Model, Explainer.md "Type Definitions", CanonicalABI.md "Flattening". The flattening here is the fuzzer's
 * own, so that the loader's is not held against itself.
 */

import type { Random } from "./random.ts";

export type Core = "i32" | "i64" | "f32" | "f64";

/** A value type: how the text refers to it and what it flattens to. */
export interface TextType {
  readonly text: string;
  readonly flat: readonly Core[];
}

const PRIMITIVES: readonly TextType[] = [
  ...["bool", "u8", "s8", "u16", "s16", "u32", "s32", "char"].map((text) => plain(text, "i32")),
  ...["u64", "s64"].map((text) => plain(text, "i64")),
  plain("f32", "f32"),
  plain("f64", "f64"),
  plain("string", "i32", "i32"),
  plain("string", "i32", "i32"),
];

function plain(text: string, ...flat: Core[]): TextType {
  return { text, flat };
}

/** Value types that a component's imports and exports share: records and the like have to be named there. */
export class TypePool {
  readonly #random: Random;
  readonly #named: TextType[] = [];
  readonly #definitions: string[] = [];

  constructor(random: Random) {
    this.#random = random;
    for (let count = 1 + random.below(6); count > 0; count -= 1) this.#addNamed();
  }

  /** Definitions of the named types, to stand before their first use. */
  get definitions(): string {
    return this.#definitions.join("\n");
  }

  /** A random type; `depth` bounds its nesting beyond the named types in it. */
  type(depth = 2): TextType {
    const random = this.#random;
    if (this.#named.length > 0 && random.percent(40)) return random.pick(this.#named);
    if (depth === 0 || random.percent(35)) return random.pick(PRIMITIVES);
    const part = () => this.type(depth - 1);
    switch (random.below(4)) {
      case 0:
        return { text: `(list ${part().text})`, flat: ["i32", "i32"] };
      case 1: {
        const some = part();
        return { text: `(option ${some.text})`, flat: joined([undefined, some]) };
      }
      case 2: {
        const elements = random.times(1 + random.below(4), part);
        return {
          text: `(tuple ${elements.map((one) => one.text).join(" ")})`,
          flat: elements.flatMap((one) => one.flat),
        };
      }
      default: {
        const [ok, error] = [
          random.percent(70) ? part() : undefined,
          random.percent(70) ? part() : undefined,
        ];
        const okText = ok?.text ?? "";
        return {
          text: `(result ${okText} ${error === undefined ? "" : `(error ${error.text})`})`,
          flat: joined([ok, error]),
        };
      }
    }
  }

  #addNamed(): void {
    const name = `t${this.#named.length}`;
    const { text, flat } = this.#composite();
    this.#definitions.push(
      `(type $${name}-def ${text}) (import "${name}" (type $${name} (eq $${name}-def)))`,
    );
    this.#named.push({ text: `$${name}`, flat });
  }

  #composite(): TextType {
    const random = this.#random;
    switch (random.below(4)) {
      case 0: {
        const fields = random.times(1 + random.below(random.percent(10) ? 20 : 5), () => this.type(1));
        const text = fields
          .map((field, index) => `(field "${label(random, index)}" ${field.text})`)
          .join(" ");
        return { text: `(record ${text})`, flat: fields.flatMap((field) => field.flat) };
      }
      case 1: {
        const cases = random.times(this.#labelCount(), () => (random.percent(60) ? this.type(1) : undefined));
        const text = cases
          .map((one, index) => `(case "${label(random, index)}" ${one?.text ?? ""})`)
          .join(" ");
        return { text: `(variant ${text})`, flat: joined(cases) };
      }
      case 2: {
        const labels = random.times(this.#labelCount(), (index) => `"${label(random, index)}"`);
        return { text: `(enum ${labels.join(" ")})`, flat: ["i32"] };
      }
      default: {
        const labels = random.times(1 + random.below(32), (index) => `"${label(random, index)}"`);
        return { text: `(flags ${labels.join(" ")})`, flat: ["i32"] };
      }
    }
  }

  /** Now and then more than a discriminant of one byte can tell apart. */
  #labelCount(): number {
    return this.#random.percent(5) ? 250 + this.#random.below(20) : 1 + this.#random.below(6);
  }
}

function label(random: Random, index: number): string {
  return `${random.pick(["a", "bc", "D", "x-1", "e-F2"])}-n${index}`;
}

/** A discriminant, then what the cases' payloads need at each place. */
function joined(cases: readonly (TextType | undefined)[]): Core[] {
  const flat: Core[] = [];
  for (const one of cases) {
    one?.flat.forEach((core, index) => {
      const known = flat[index];
      flat[index] = known === undefined ? core : join(known, core);
    });
  }
  return ["i32", ...flat];
}

function join(left: Core, right: Core): Core {
  if (left === right) return left;
  const narrow = new Set<Core>(["i32", "f32"]);
  return narrow.has(left) && narrow.has(right) ? "i32" : "i64";
}
