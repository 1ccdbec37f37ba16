/**
 * A typed reader over one TOML table: takes keys one by one, refuses wrong values with their line, and at the end
 * names every key that nobody asked for.
 *
 *     const document = await parseToml(text, "device.toml", makeError);
 *     const root = readTable(document);
 *     const fleet = root.string("fleet", { pattern: FLEET_NAME, expected: "a fleet name" });
 *     const keepaliveMs = root.table("broker").durationMs("keepalive", {}, 60_000);   // optional: a fallback was given
 *     root.finish();                                                                 // unknown keys, in all tables
 *
 * Every method takes a fallback as its last argument (undefined counts): with one the key is optional.
 */

import { nearestName } from "./nearest-name.ts";
import type { TomlDocument, TomlTable } from "./toml.ts";
import type { TomlPath } from "./toml-lines.ts";
import {
  type Converted,
  convertList,
  convertString,
  inRange,
  isTable,
  quoteAll,
  type RangeRule,
  type StringRule,
} from "./toml-values.ts";
import {
  DURATION_SYNTAX,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  SIZE_SYNTAX,
} from "./units.ts";

type Fallback<F> = readonly [] | readonly [fallback: F];

/** Reads a whole document from its outermost table. */
export function readTable(document: TomlDocument): TableReader {
  return new TableReader(document, document.value, []);
}

export class TableReader {
  readonly #document: TomlDocument;
  readonly #table: TomlTable;
  readonly #path: TomlPath;
  readonly #asked = new Set<string>();
  readonly #inner: TableReader[] = [];
  /** Of a table that is absent: the error for a key beside it that reads like its name. */
  #mistypedName: () => Error | undefined = () => undefined;

  constructor(document: TomlDocument, table: TomlTable, path: TomlPath) {
    this.#document = document;
    this.#table = table;
    this.#path = path;
  }

  /** The keys that stand in this table, for tables whose keys are names. */
  keys(): string[] {
    return Object.keys(this.#table);
  }

  string<F = never>(key: string, rule: StringRule = {}, ...fallback: Fallback<F>): string | F {
    return this.#read(key, fallback, (value) => convertString(value, rule));
  }

  /** One of a closed set of strings. */
  oneOf<const T extends string, F = never>(
    key: string,
    choices: readonly T[],
    ...fallback: Fallback<F>
  ): T | F {
    return this.#read(key, fallback, (value) => {
      const choice = choices.find((candidate) => candidate === value);
      return choice === undefined ? { wrong: `must be one of ${quoteAll(choices)}` } : { right: choice };
    });
  }

  integer<F = never>(key: string, rule: RangeRule = {}, ...fallback: Fallback<F>): number | F {
    return this.#read(key, fallback, (value) =>
      typeof value === "number" && Number.isSafeInteger(value)
        ? inRange(value, rule, String)
        : { wrong: "must be a whole number" },
    );
  }

  /** Any finite number, whole or not. */
  number<F = never>(key: string, rule: RangeRule = {}, ...fallback: Fallback<F>): number | F {
    return this.#read(key, fallback, (value) =>
      typeof value === "number" && Number.isFinite(value)
        ? inRange(value, rule, String)
        : { wrong: "must be a number" },
    );
  }

  boolean<F = never>(key: string, ...fallback: Fallback<F>): boolean | F {
    return this.#read(key, fallback, (value) =>
      typeof value === "boolean" ? { right: value } : { wrong: "must be true or false" },
    );
  }

  /** A list of strings, each by the rule. */
  strings<F = never>(
    key: string,
    rule: StringRule & { maxItems?: number } = {},
    ...fallback: Fallback<F>
  ): string[] | F {
    return this.#read(key, fallback, (value) =>
      convertList(value, rule.maxItems, (item) => convertString(item, rule)),
    );
  }

  /** A list of whole numbers. */
  integers<F = never>(
    key: string,
    rule: RangeRule & { maxItems?: number } = {},
    ...fallback: Fallback<F>
  ): number[] | F {
    return this.#read(key, fallback, (value) =>
      convertList(value, rule.maxItems, (item) =>
        typeof item === "number" && Number.isSafeInteger(item)
          ? inRange(item, rule, String)
          : { wrong: "must be a whole number" },
      ),
    );
  }

  /** A size such as "4MiB", in bytes; the rule's bounds are in bytes too. */
  sizeBytes<F = never>(key: string, rule: RangeRule = {}, ...fallback: Fallback<F>): number | F {
    return this.#read(key, fallback, (value) => {
      const sizeBytes = typeof value === "string" ? parseSize(value) : undefined;
      return sizeBytes === undefined
        ? { wrong: `must be ${SIZE_SYNTAX}` }
        : inRange(sizeBytes, rule, formatSize);
    });
  }

  /** A duration such as "30s", in milliseconds; the rule's bounds are in milliseconds too. */
  durationMs<F = never>(key: string, rule: RangeRule = {}, ...fallback: Fallback<F>): number | F {
    return this.#read(key, fallback, (value) => {
      const durationMs = typeof value === "string" ? parseDuration(value) : undefined;
      return durationMs === undefined
        ? { wrong: `must be ${DURATION_SYNTAX}` }
        : inRange(durationMs, rule, formatDuration);
    });
  }

  /** An inner table. Absent counts as empty, so that its required keys are the ones reported as missing. */
  table(key: string): TableReader {
    const table = this.#read(key, [{}], (value) =>
      isTable(value) ? { right: value } : { wrong: "must be a table" },
    );
    const inner = this.#open(table, [key]);
    if (this.#table[key] === undefined) inner.#mistypedName = () => this.#mistyped(key);
    return inner;
  }

  /** An array of tables (`[[key]]`); absent counts as none. */
  tables(key: string, maxItems?: number): TableReader[] {
    const tables = this.#read(key, [[]], (value) =>
      convertList(value, maxItems, (item) =>
        isTable(item) ? { right: item } : { wrong: "must be a table" },
      ),
    );
    return tables.map((table, index) => this.#open(table, [key, index]));
  }

  /** The value as it is, for a parser of another folder that checks it all itself; undefined if absent. */
  raw(key: string): unknown {
    this.#asked.add(key);
    return this.#table[key];
  }

  /** The error for a key of this table whose value is well formed and yet wrong (a file that is not there …). */
  wrongValue(key: string, what: string): Error {
    return this.#document.errorAt("wrong-value", [...this.#path, key], `"${key}"${this.#place()} ${what}`);
  }

  /**
   * Refuses what nobody asked for, in this table and in all that were opened through it: call once, on the outermost.
   *
   * @throws the document's error for the first unknown key; its message lists them all, a line each
   */
  finish(): void {
    const unknown = this.#unknownKeys();
    const [first] = unknown;
    if (first !== undefined) {
      const [message = "", ...others] = unknown.map((each) => each.what);
      const lines = others.map((what, index) => {
        const line = this.#document.lineOf(unknown[index + 1]?.path ?? []);
        return `\n${this.#document.fileName}:${line}: ${what}`;
      });
      throw this.#document.errorAt("unknown-key", first.path, message + lines.join(""));
    }
  }

  #read<T, F>(key: string, fallback: Fallback<F>, convert: (value: unknown) => Converted<T>): T | F {
    this.#asked.add(key);
    const value = this.#table[key];
    if (value === undefined) {
      if (fallback.length === 1) {
        return fallback[0];
      }
      throw this.#missing(key);
    }
    const converted = convert(value);
    if ("right" in converted) {
      return converted.right;
    }
    const path = [...this.#path, key, ...(converted.at === undefined ? [] : [converted.at])];
    const item = converted.at === undefined ? "" : `, item ${converted.at + 1},`;
    throw this.#document.errorAt("wrong-value", path, `"${key}"${item}${this.#place()} ${converted.wrong}`);
  }

  #missing(key: string): Error {
    return (
      this.#mistypedName() ??
      this.#mistyped(key) ??
      this.#document.errorAt("missing-key", this.#path, `"${key}"${this.#place()} is missing`)
    );
  }

  /** A missing key beside one that reads like it is that one, mistyped. */
  #mistyped(key: string): Error | undefined {
    const unasked = this.keys().filter((present) => !this.#asked.has(present));
    const mistyped = nearestName(key, unasked);
    if (mistyped === undefined) return undefined;
    return this.#document.errorAt(
      "unknown-key",
      [...this.#path, mistyped],
      `unknown key "${mistyped}"${this.#place()}; did you mean "${key}"?`,
    );
  }

  #unknownKeys(): { path: TomlPath; what: string }[] {
    const own = this.keys()
      .filter((key) => !this.#asked.has(key))
      .map((key) => {
        const nearest = nearestName(key, this.#asked);
        const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
        return {
          path: [...this.#path, key],
          what: `unknown key ${JSON.stringify(key)}${this.#place()}${hint}`,
        };
      });
    return [...own, ...this.#inner.flatMap((inner) => inner.#unknownKeys())];
  }

  #open(table: TomlTable, keys: TomlPath): TableReader {
    const inner = new TableReader(this.#document, table, [...this.#path, ...keys]);
    this.#inner.push(inner);
    return inner;
  }

  #place(): string {
    const names = this.#path.filter((key) => typeof key === "string");
    return names.length === 0 ? "" : ` in [${names.join(".")}]`;
  }
}
