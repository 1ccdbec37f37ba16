/**
 * TOML (1.0, by smol-toml) with the line of every key, so that whoever wrote the file is told where to look.
 *
 * Shared by the manifest here, the agent's configuration and the operator's: each brings a factory that makes its own
 * folder's error from a problem.
 */

import { MAX_TOML_BYTES, MAX_TOML_DEPTH_LEVELS } from "./limits.ts";
import { readLines, type TomlPath } from "./toml-lines.ts";

/** What is wrong with a document, and where. */
export type TomlProblem = {
  readonly kind: "syntax" | "unknown-key" | "missing-key" | "wrong-value";
  readonly fileName: string;
  readonly line: number;
  readonly path: TomlPath;
  /** Ready for a person: `device.toml:12: unknown key "sensr" in [grant]; did you mean "sensor"?` */
  readonly message: string;
};

/** Makes the error that the caller's folder throws. */
export type TomlErrorFactory = (problem: TomlProblem, options?: ErrorOptions) => Error;

/** A table as smol-toml gives it: strings, numbers, booleans, dates, arrays and tables. */
export type TomlTable = Readonly<Record<string, unknown>>;

export type TomlDocument = {
  readonly fileName: string;
  readonly value: TomlTable;
  /** The line of a key, or of the nearest table around it; 1-based. */
  lineOf(path: TomlPath): number;
  /** An error that names file and line; `what` says what is wrong there. */
  errorAt(kind: TomlProblem["kind"], path: TomlPath, what: string): Error;
};

/**
 * Parses one file.
 *
 * @throws what `makeError` makes of a syntax error, or of a text over MAX_TOML_BYTES
 */
export async function parseToml(
  text: string,
  fileName: string,
  makeError: TomlErrorFactory,
): Promise<TomlDocument> {
  const errorAtLine = (
    kind: TomlProblem["kind"],
    line: number,
    path: TomlPath,
    what: string,
    options?: ErrorOptions,
  ): Error => makeError({ kind, fileName, line, path, message: `${fileName}:${line}: ${what}` }, options);

  if (Buffer.byteLength(text) > MAX_TOML_BYTES) {
    throw errorAtLine("syntax", 1, [], `larger than ${MAX_TOML_BYTES} bytes`);
  }
  // Imported when the first file is read: an agent that only runs what is installed pays for it once, at its start.
  const { parse, TomlError } = await import("smol-toml");
  let value: TomlTable;
  try {
    // Keys such as __proto__ are refused, whatever a later reader does with its objects.
    value = parse(text, { maxDepth: MAX_TOML_DEPTH_LEVELS, unsafeKeyBehaviour: "throw" });
  } catch (error) {
    if (!(error instanceof TomlError)) {
      throw error;
    }
    throw errorAtLine("syntax", error.line, [], firstLine(error.message), { cause: error });
  }
  const lineOf = readLines(text);
  return {
    fileName,
    value,
    lineOf,
    errorAt: (kind, path, what) => errorAtLine(kind, lineOf(path), path, what),
  };
}

/** smol-toml's message without its prefix and the excerpt of the file that follows. */
function firstLine(message: string): string {
  const [line = message] = message.split("\n", 1);
  return line.replace(/^Invalid TOML document: /, "not TOML: ");
}
