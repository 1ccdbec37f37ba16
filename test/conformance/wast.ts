/**
 * WebAssembly scripts (.wast): splits them into directives.
 *
 * WebAssembly specification, interpreter/README.md "Scripts", with the Component Model's additions (`component
 * definition`, `component instance`). Expressions are kept as text and as a tree; what a component's text means is for
 * the text parser to say.
 */

/** An S-expression; positions are offsets in the script. */
export type Expression =
  | { readonly kind: "atom"; readonly text: string; readonly start: number; readonly end: number }
  | { readonly kind: "string"; readonly bytes: Uint8Array; readonly start: number; readonly end: number }
  | {
      readonly kind: "list";
      readonly items: readonly Expression[];
      readonly start: number;
      readonly end: number;
    };

/** One top-level expression of a script. */
export interface Directive {
  /** Its first word: `component`, `assert_invalid`, `assert_return`, `invoke` … */
  readonly keyword: string;
  readonly line: number;
  /** What follows the keyword. */
  readonly operands: readonly Expression[];
  /** The directive itself, keyword included. */
  readonly expression: Expression;
}

const TOKEN = /\s+|;;[^\n]*|\(;|[()]|"(?:[^"\\]|\\.)*"|[^\s()";]+|;/gsy;

/** Splits a script into its directives, in order. */
export function splitDirectives(script: string): Directive[] {
  return parseExpressions(script).map((expression) => {
    const line = script.slice(0, expression.start).split("\n").length;
    if (expression.kind !== "list") throw new Error(`line ${line}: a directive has to stand in parentheses`);
    const [head, ...operands] = expression.items;
    if (head?.kind !== "atom") throw new Error(`line ${line}: a directive has to start with a keyword`);
    return { keyword: head.text, line, operands, expression };
  });
}

/** Parses all expressions of a text. */
export function parseExpressions(text: string): Expression[] {
  const open: { start: number; items: Expression[] }[] = [];
  let items: Expression[] = [];
  let position = 0;
  while (position < text.length) {
    TOKEN.lastIndex = position;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) throw new Error(`unexpected character at offset ${position}`);
    const start = position;
    position += token.length;
    if (token === "(;") {
      position = endOfBlockComment(text, start);
    } else if (token === "(") {
      open.push({ start, items });
      items = [];
    } else if (token === ")") {
      const enclosing = open.pop();
      if (enclosing === undefined) throw new Error(`unbalanced ")" at offset ${start}`);
      enclosing.items.push({ kind: "list", items, start: enclosing.start, end: position });
      items = enclosing.items;
    } else if (token.startsWith('"')) {
      items.push({ kind: "string", bytes: stringBytes(token.slice(1, -1)), start, end: position });
    } else if (!/^\s|^;/.test(token)) {
      items.push({ kind: "atom", text: token, start, end: position });
    }
  }
  if (open.length > 0) throw new Error('missing ")" at the end');
  return items;
}

function endOfBlockComment(text: string, start: number): number {
  let depth = 0;
  for (let position = start; position < text.length; position += 1) {
    const pair = text.slice(position, position + 2);
    if (pair === "(;") depth += 1;
    if (pair === ";)") depth -= 1;
    if (pair === "(;" || pair === ";)") position += 1;
    if (depth === 0) return position + 1;
  }
  throw new Error(`block comment at offset ${start} does not end`);
}

const ESCAPES: ReadonlyMap<string, number> = new Map([
  ["t", 9],
  ["n", 10],
  ["r", 13],
  ['"', 34],
  ["'", 39],
  ["\\", 92],
]);

function stringBytes(source: string): Uint8Array {
  const bytes: number[] = [];
  const pattern = /\\u\{([0-9a-fA-F_]+)\}|\\([0-9a-fA-F]{2})|\\(.)|([^\\]+)/gsu;
  for (const [, codePoint, byte, escaped, plain] of source.matchAll(pattern)) {
    if (codePoint !== undefined) {
      bytes.push(
        ...new TextEncoder().encode(String.fromCodePoint(Number.parseInt(codePoint.replaceAll("_", ""), 16))),
      );
    } else if (byte !== undefined) {
      bytes.push(Number.parseInt(byte, 16));
    } else if (escaped !== undefined) {
      bytes.push(ESCAPES.get(escaped) ?? 0);
    } else if (plain !== undefined) {
      bytes.push(...new TextEncoder().encode(plain));
    }
  }
  return Uint8Array.from(bytes);
}
