/**
 * Narrows one table of a parsed TOML document, key by key. A wrong value is reported with its path and read as
 * undefined, so that one pass finds every mistake; a key that nobody asked for is reported by `finish`.
 */

import { MAX_POLICY_TEXT_LENGTH } from "./limits.ts";

/** Keys from the outermost table inwards; numbers are places in an array. */
export type PolicyPath = readonly (string | number)[];

/** Takes one mistake: where it is and what is wrong there. */
export type ReportProblem = (path: PolicyPath, message: string) => void;

export class TableReader {
  readonly #table: Readonly<Record<string, unknown>>;
  readonly #path: PolicyPath;
  readonly #report: ReportProblem;
  readonly #known = new Set<string>();

  constructor(table: Readonly<Record<string, unknown>>, path: PolicyPath, report: ReportProblem) {
    this.#table = table;
    this.#path = path;
    this.#report = report;
  }

  /** Reports a mistake at a key of this table. */
  problem(key: string, message: string): void {
    this.#report([...this.#path, key], message);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#table, key);
  }

  /** Nothing is to be said of the other keys: which of them may be there depends on what was wrong. */
  skipRest(): undefined {
    for (const key of Object.keys(this.#table)) this.#known.add(key);
  }

  /** The value of a key, unchecked; undefined if it is absent. */
  raw(key: string): unknown {
    this.#known.add(key);
    return this.has(key) ? this.#table[key] : undefined;
  }

  /** A text of bounded length. Absent: reported, unless a default is given. */
  text(key: string, whenAbsent?: string): string | undefined {
    const value = this.raw(key) ?? whenAbsent;
    if (typeof value === "string" && value.length > 0 && value.length <= MAX_POLICY_TEXT_LENGTH) return value;
    return this.#wrong(key, `a text of 1 to ${MAX_POLICY_TEXT_LENGTH} characters`);
  }

  /** A text if the key is there; undefined without a report if not. */
  optionalText(key: string): string | undefined {
    return this.raw(key) === undefined ? undefined : this.text(key);
  }

  /** A finite number within bounds (both included). */
  number(key: string, minimum: number, maximum: number, whenAbsent?: number): number | undefined {
    const value = this.raw(key) ?? whenAbsent;
    if (typeof value === "number" && value >= minimum && value <= maximum) return value;
    return this.#wrong(key, `a number from ${minimum} to ${maximum}`);
  }

  /** One of a few texts or numbers. */
  choice<const Choice extends string | number>(
    key: string,
    choices: readonly Choice[],
    whenAbsent?: Choice,
  ): Choice | undefined {
    const value = this.raw(key) ?? whenAbsent;
    const choice = choices.find((one) => one === value);
    return choice ?? this.#wrong(key, `one of ${choices.map((one) => JSON.stringify(one)).join(", ")}`);
  }

  /** A whole number with a unit, such as "4MiB": the number times the unit's factor, within bounds. */
  quantity(
    key: string,
    factors: ReadonlyMap<string, number>,
    minimum: number,
    maximum: number,
    whenAbsent: number,
  ): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return whenAbsent;
    const match = typeof value === "string" ? /^([0-9]{1,12})([A-Za-z]+)$/.exec(value) : null;
    const factor = factors.get(match?.[2] ?? "");
    const quantity = Number(match?.[1]) * (factor ?? Number.NaN);
    if (quantity >= minimum && quantity <= maximum) return quantity;
    return this.#wrong(
      key,
      `a whole number with a unit (${[...factors.keys()].join(", ")}), such as "1${[...factors.keys()].at(-1)}", in range`,
    );
  }

  /** A list of texts, none twice; empty if the key is absent. A wrong element is reported at its place and left out. */
  texts(key: string, maxCount: number, problemOf: (text: string) => string | undefined): readonly string[] {
    const value = this.raw(key) ?? [];
    if (!Array.isArray(value) || value.length > maxCount) {
      this.#wrong(key, `a list of at most ${maxCount} texts`);
      return [];
    }
    const elements: readonly unknown[] = value;
    const texts = new Set<string>();
    for (const [index, element] of elements.entries()) {
      const problem =
        typeof element !== "string" || element.length > MAX_POLICY_TEXT_LENGTH
          ? `must be a text of at most ${MAX_POLICY_TEXT_LENGTH} characters`
          : texts.has(element)
            ? `"${element}" stands there twice`
            : problemOf(element);
      if (problem !== undefined) this.#report([...this.#path, key, index], problem);
      else if (typeof element === "string") texts.add(element);
    }
    return [...texts];
  }

  /** Reports every key that was not asked for. */
  finish(): void {
    for (const key of Object.keys(this.#table)) {
      if (!this.#known.has(key)) this.problem(key, `unknown key; known here: ${[...this.#known].join(", ")}`);
    }
  }

  #wrong(key: string, expected: string): undefined {
    if (this.has(key)) this.problem(key, `must be ${expected}`);
    else this.#report(this.#path, `${key} is missing: ${expected}`);
    return undefined;
  }
}

/** Whether a value of a parsed TOML document is a table (arrays and dates are objects, too). */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
