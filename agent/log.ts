/**
 * Log lines: for people, or as one JSON object each. To journald a line begins with its priority, "<4>" (sd-daemon(3)), and a line for people has no
 * time and level of its own. What belongs to a line (module, version, code) stands at its end: fields of the journal's own would need its
 * datagram socket, which Node can't write to.
 */
import { fstatSync } from "node:fs";

type LogLevel = "error" | "warning" | "info";

/** Facts that go with a line; undefined ones are left out. */
type LogDetails = Readonly<Record<string, unknown>>;

export type Log = (level: LogLevel, message: string, details?: LogDetails) => void;

/** Where lines go: standard error, or what a test puts in its place. */
export interface LineWriter {
  write(text: string): unknown;
}

export interface LogFormat {
  /** One JSON object per line. */
  readonly json: boolean;
  /** For journald, which takes time and level by itself. */
  readonly journal: boolean;
}

/** Whether a file descriptor leads to journald: systemd names the stream that it made for the process (systemd.exec(5)). */
export function leadsToJournal(
  descriptor: number,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  const stream = environment["JOURNAL_STREAM"];
  if (stream === undefined) return false;
  const { dev, ino } = fstatSync(descriptor);
  return stream === `${dev}:${ino}`;
}

/** Syslog's numbers. */
const PRIORITIES = { error: 3, warning: 4, info: 6 } as const satisfies Record<LogLevel, number>;

/** A log that writes to `writer`. Journald and friends keep the line whole: it never holds a line break of its own. */
export function createLog(
  writer: LineWriter,
  { json, journal }: LogFormat,
  now: () => Date = () => new Date(),
): Log {
  return (level, message, details = {}) => {
    const time = now().toISOString();
    const line = json
      ? JSON.stringify({ time, level, message, ...details })
      : oneLine(
          journal ? withFacts(message, details) : `${time} ${level.padEnd(7)} ${withFacts(message, details)}`,
        );
    writer.write(`${journal ? `<${PRIORITIES[level]}>` : ""}${line}\n`);
  };
}

function withFacts(message: string, details: LogDetails): string {
  const { module, version } = details;
  // What the message begins with is not said again behind it.
  const isSaid = (name: string): boolean =>
    ["module", "version", "event"].includes(name) && message.startsWith(`${module}@${version} `);
  const facts = Object.entries(details)
    .filter(([name, value]) => value !== undefined && !isSaid(name))
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return `${message}${facts.join("")}`;
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
