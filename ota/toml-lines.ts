/**
 * The line on which each key of a TOML document stands.
 *
 * smol-toml gives values without positions, so this walks the text once more. It only ever sees text that
 * smol-toml has accepted (TOML 1.0 and 1.1), checks nothing itself, and where it is at a loss it stops: a key without
 * a line is then reported with the line of the table around it.
 */

/** Keys from the outermost table inwards; numbers are places in an array. */
export type TomlPath = readonly (string | number)[];

/** Lines kept as a tree, so that long keys cost their own length only, however many lie below them. */
type LineNode = {
  line: number;
  readonly children: Map<string | number, LineNode>;
  /** For an array of tables: how many `[[…]]` headers were seen. */
  elements: number;
};

const BARE_KEY = /[A-Za-z0-9_-]+/y;
const SPACES = /[ \t]*/y;
const TRIVIA = /(?:[ \t\r\n]|#[^\n]*)*/y;
const SCALAR = /[^,\]}\n#]*/y;
const ONE_LINE_STRING = /"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
// A multi-line string may end in up to two quotes of its own right before the closing three.
const MULTI_LINE_STRING = /"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}|'''(?:[^']|'{1,2}(?!'))*'{3,5}/y;

/** Reads the lines of a valid document; the result answers for any path, at worst with the nearest table's line. */
export function readLines(text: string): (path: TomlPath) => number {
  const root = new LineReader(text).readDocument();
  return (path) => {
    let node = root;
    for (const key of path) {
      const child = node.children.get(key);
      if (child === undefined) {
        break;
      }
      node = child;
    }
    return node.line;
  };
}

class LineReader {
  readonly #text: string;
  readonly #root: LineNode = newNode(1);
  #position = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
    this.#position = text.startsWith("\ufeff") ? 1 : 0;
  }

  readDocument(): LineNode {
    let table = this.#root;
    for (;;) {
      const start = this.#skip(TRIVIA);
      if (start >= this.#text.length) {
        return this.#root;
      }
      if (this.#text[start] === "[") {
        table = this.#readHeader();
      } else {
        this.#readKeyValue(table);
      }
      if (this.#position === start) {
        return this.#root;
      }
    }
  }

  #readHeader(): LineNode {
    const isArray = this.#text.startsWith("[[", this.#position);
    this.#position += isArray ? 2 : 1;
    const keys = this.#readKey();
    this.#position += isArray ? 2 : 1;
    const last = keys.pop() ?? "";
    const node = childOf(this.#descend(this.#root, keys), last, this.#line);
    if (!isArray) {
      node.line = this.#line;
      return node;
    }
    const element = newNode(this.#line);
    node.children.set(node.elements, element);
    node.elements++;
    return element;
  }

  #readKeyValue(table: LineNode): void {
    const keys = this.#readKey();
    const last = keys.pop() ?? "";
    const node = childOf(this.#descend(table, keys), last, this.#line);
    this.#position++; // the equals sign
    this.#readValue(node);
  }

  /** From a table to the one that dotted keys name; an array of tables stands for its latest element. */
  #descend(from: LineNode, keys: readonly string[]): LineNode {
    let node = from;
    for (const key of keys) {
      node = childOf(node, key, this.#line);
      node = node.children.get(node.elements - 1) ?? node;
    }
    return node;
  }

  /** Nesting is bounded: smol-toml was given a maximum depth. */
  #readValue(node: LineNode): void {
    this.#skip(SPACES);
    const first = this.#text[this.#position];
    if (first === "[") {
      this.#readList("]", (index) => this.#readValue(childOf(node, index, this.#line)));
    } else if (first === "{") {
      this.#readList("}", () => this.#readKeyValue(node));
    } else if (first === '"' || first === "'") {
      const before = this.#position;
      if (this.#skip(MULTI_LINE_STRING) === before) {
        this.#skip(ONE_LINE_STRING);
      }
    } else {
      this.#skip(SCALAR);
    }
  }

  #readList(end: string, readItem: (index: number) => void): void {
    this.#position++;
    for (let index = 0; ; index++) {
      const start = this.#skip(TRIVIA);
      if (start >= this.#text.length || this.#text[start] === end) {
        this.#position++;
        return;
      }
      readItem(index);
      this.#skip(TRIVIA);
      if (this.#text[this.#position] === ",") {
        this.#position++;
      }
      if (this.#position === start) {
        return;
      }
    }
  }

  #readKey(): string[] {
    const keys: string[] = [];
    for (;;) {
      const start = this.#skip(SPACES);
      const quote = this.#text[start];
      this.#skip(quote === '"' || quote === "'" ? ONE_LINE_STRING : BARE_KEY);
      const written = this.#text.slice(start, this.#position);
      keys.push(
        quote === '"' ? unescapeKey(written.slice(1, -1)) : quote === "'" ? written.slice(1, -1) : written,
      );
      this.#skip(SPACES);
      if (this.#text[this.#position] !== ".") {
        return keys;
      }
      this.#position++;
    }
  }

  /** Moves over what the pattern matches here, counting lines; returns the new position. */
  #skip(pattern: RegExp): number {
    pattern.lastIndex = this.#position;
    const skipped = pattern.exec(this.#text)?.[0] ?? "";
    for (let at = skipped.indexOf("\n"); at !== -1; at = skipped.indexOf("\n", at + 1)) {
      this.#line++;
    }
    this.#position += skipped.length;
    return this.#position;
  }
}

function newNode(line: number): LineNode {
  return { line, children: new Map(), elements: 0 };
}

function childOf(node: LineNode, key: string | number, line: number): LineNode {
  let child = node.children.get(key);
  if (child === undefined) {
    child = newNode(line);
    node.children.set(key, child);
  }
  return child;
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  t: "\t",
  n: "\n",
  f: "\f",
  r: "\r",
  e: "\u001b",
};

function unescapeKey(written: string): string {
  return written.replace(
    /\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))/g,
    (_, short?: string, long?: string, byte?: string, character?: string) => {
      const digits = short ?? long ?? byte;
      if (digits !== undefined) {
        return String.fromCodePoint(Number.parseInt(digits, 16));
      }
      return ESCAPES[character ?? ""] ?? character ?? "";
    },
  );
}
