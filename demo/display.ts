/**
 * What the demo shows: a line per step for a person, with a progress bar on a terminal; or one JSON object per transition.
 */
import type { DeviceEvent } from "./device-events.ts";

export interface Display {
  /** A new part of the demo begins. */
  chapter(text: string): void;
  /** Something that the operator or the attacker did. */
  action(text: string): void;
  event(event: DeviceEvent): void;
  telemetry(topic: string, payload: string): void;
  /** Whether a chapter came out as said. */
  verdict(ok: boolean, text: string): void;
  end(ok: boolean, text: string): void;
}

/** The transitions of `--json`; the device's other events (progress of a download …) stay out of it. */
const TRANSITIONS: ReadonlySet<string> = new Set([
  "fetching",
  "verified",
  "staged",
  "trial",
  "committed",
  "rolled-back",
  "refused",
]);

/** One JSON object per transition on `out`, nothing else. */
export function jsonDisplay(out: NodeJS.WritableStream): Display {
  return {
    chapter() {},
    action() {},
    event(event) {
      if (TRANSITIONS.has(event.event)) out.write(`${JSON.stringify(event)}\n`);
    },
    telemetry() {},
    verdict() {},
    end() {},
  };
}

const BAR_WIDTH = 30;
/** Where the text behind an event's name begins; what does not fit on its line goes on there. */
const TEXT_COLUMN = 17;
const TEXT_INDENT = " ".repeat(TEXT_COLUMN);
/** Of a terminal that does not tell its width. */
const DEFAULT_COLUMNS = 80;

/** Lines for a person; colours and a bar that is drawn over only if `out` is a terminal. */
export function textDisplay(out: NodeJS.WriteStream): Display {
  const isTerminal = out.isTTY === true;
  const paint = (code: number, text: string): string =>
    isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text;
  let barShown = false;
  const line = (text: string): void => {
    if (barShown) out.write("\r\u001b[K");
    barShown = false;
    out.write(`${text}\n`);
  };
  /** A text in its column; on a terminal it is folded there. */
  const column = (head: string, text: string): void => {
    const width = (out.columns ?? DEFAULT_COLUMNS) - TEXT_COLUMN;
    const [first = "", ...more] = isTerminal ? fold(text, width) : [text];
    line(`${head}${first}`);
    for (const part of more) line(`${TEXT_INDENT}${part}`);
  };
  const bar = (received: number, total: number): void => {
    if (!isTerminal) return;
    const filled = total === 0 ? BAR_WIDTH : Math.round((received / total) * BAR_WIDTH);
    const kibibytes = (bytes: number): string => (bytes / 1024).toFixed(0);
    out.write(
      `\r\u001b[K    ${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)} ${kibibytes(received)}/${kibibytes(total)} KiB`,
    );
    barShown = true;
  };
  return {
    chapter: (text) => line(`\n${paint(1, text)}`),
    action: (text) => line(`  ${text}`),
    event(event) {
      if (event.event === "progress") {
        bar(event.received ?? 0, event.total ?? 0);
        return;
      }
      const colour = COLOURS[event.event] ?? 0;
      const subject = [event.module, event.version].filter((part) => part !== null).join(" ");
      const cause = event.code === undefined ? "" : `  ${event.code}`;
      column(`    ${paint(colour, event.event.padEnd(12))} `, `${subject}${cause}`);
      if (event.message !== undefined) column(TEXT_INDENT, event.message);
    },
    telemetry: (topic, payload) => column("    telemetry    ", `${topic} ${payload}`),
    verdict: (ok, text) => line(`  ${ok ? paint(32, "✓") : paint(31, "✗")} ${text}`),
    end: (ok, text) => line(`\n${paint(ok ? 32 : 31, text)}`),
  };
}

/** Breaks a text into lines of at most `width` characters, behind a space or a comma where there is one in the line's second half. */
export function fold(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > Math.max(width, 1)) {
    const place = Math.max(rest.lastIndexOf(" ", width), rest.lastIndexOf(",", width - 1)) + 1;
    const end = place > width / 2 ? place : Math.max(width, 1);
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

const COLOURS: Readonly<Record<string, number>> = {
  committed: 32,
  trial: 33,
  "rolled-back": 35,
  refused: 31,
  failed: 31,
};
