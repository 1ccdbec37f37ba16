/** Log lines: for people, or as one JSON object each. */

type LogLevel = "error" | "warning" | "info";

/** Facts that go with a line; undefined ones are left out. */
type LogDetails = Readonly<Record<string, unknown>>;

export type Log = (level: LogLevel, message: string, details?: LogDetails) => void;

/** Where lines go: standard error, or what a test puts in its place. */
export interface LineWriter {
  write(text: string): unknown;
}

/** A log that writes to `writer`. Journald and friends keep the line whole: it never holds a line break of its own. */
export function createLog(writer: LineWriter, json: boolean, now: () => Date = () => new Date()): Log {
  return (level, message, details = {}) => {
    const time = now().toISOString();
    const line = json
      ? JSON.stringify({ time, level, message, ...details })
      : humanLine(time, level, message, details);
    writer.write(`${line}\n`);
  };
}

function humanLine(time: string, level: LogLevel, message: string, details: LogDetails): string {
  const { module, version } = details;
  // What the message begins with is not said again behind it.
  const isSaid = (name: string): boolean =>
    ["module", "version", "event"].includes(name) && message.startsWith(`${module}@${version} `);
  const facts = Object.entries(details)
    .filter(([name, value]) => value !== undefined && !isSaid(name))
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return oneLine(`${time} ${level.padEnd(7)} ${message}${facts.join("")}`);
}

/** Control characters, escape sequences among them, shown instead of obeyed: parts of a line come from modules and brokers. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is its purpose
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, "0");
    return SHORT_ESCAPES[character] ?? `\\u${code}`;
  });
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
