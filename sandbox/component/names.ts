/**
 * Names of WIT in JavaScript, by jco's conventions: functions and fields in camelCase, resources in PascalCase. A `_`
 * stands before a word that starts with a digit, so that different names stay different: `a-1` is `a_1`, not `a1`.
 *
 * Component Model, Explainer.md "Import and Export Definitions": `plainname` with its `[constructor]`,
 * `[method]` and `[static]` annotations. Each word of a kebab name is all upper or all lower case.
 */

/** `get-value` → `getValue`, `HTTP-get` → `httpGet`, `ch-2b` → `ch_2b`. */
export function camelCase(name: string): string {
  return name
    .split("-")
    .map((word, index) => (index === 0 ? word.toLowerCase() : capitalised(word)))
    .join("");
}

/** `input-stream` → `InputStream`. */
export function pascalCase(name: string): string {
  return name.split("-").map(capitalised).join("");
}

function capitalised(word: string): string {
  return (word < "A" ? "_" : "") + word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
}

/** What a function's name says about it. */
export type FunctionName =
  | { readonly kind: "free"; readonly name: string }
  | { readonly kind: "constructor"; readonly resource: string }
  | { readonly kind: "method" | "static"; readonly resource: string; readonly name: string };

/** Splits a function's extern name: `[method]input-stream.read`, `[constructor]pollable`, `now`. */
export function parseFunctionName(name: string): FunctionName {
  const constructed = /^\[constructor\](.+)$/.exec(name);
  if (constructed?.[1] !== undefined) return { kind: "constructor", resource: constructed[1] };
  const member = /^\[(method|static)\]([^.]+)\.(.+)$/.exec(name);
  if (member?.[2] === undefined || member[3] === undefined) return { kind: "free", name };
  return { kind: member[1] === "method" ? "method" : "static", resource: member[2], name: member[3] };
}

/** `wasi:io/streams@0.2.6` → `wasi:io/streams`. */
export function withoutVersion(name: string): string {
  const at = name.indexOf("@");
  return at === -1 ? name : name.slice(0, at);
}
