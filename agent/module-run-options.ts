/** The options of `skerry module run`, narrowed. No effects. */
import { parseArgs } from "node:util";
import { listenRuleProblem, networkRuleProblem } from "../devices/network-rules.ts";
import { DURATION_SYNTAX, parseDuration, parseSize, SIZE_SYNTAX } from "../ota/units.ts";
import { messageOf } from "./errors.ts";

export interface ModuleRunOptions {
  readonly componentPath: string;
  readonly folders: readonly { readonly hostPath: string; readonly guestPath: string }[];
  readonly env: Readonly<Record<string, string>>;
  readonly policyPath: string | undefined;
  readonly manifestPath: string | undefined;
  /** Rules of what the module may connect to, and where it may be reached. */
  readonly network: readonly string[];
  readonly listen: readonly string[];
  readonly memoryBytes: number | undefined;
  readonly timeoutMs: number | undefined;
  /** For a reactor's `on-message`, in their order. */
  readonly messages: readonly { readonly topic: string; readonly payload: string }[];
  /** For the module itself. */
  readonly args: readonly string[];
}

export type ParsedRunOptions =
  | { readonly kind: "run"; readonly options: ModuleRunOptions }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly message: string };

const OPTIONS = {
  dir: { type: "string", multiple: true, default: [] },
  env: { type: "string", multiple: true, default: [] },
  policy: { type: "string" },
  manifest: { type: "string" },
  "allow-net": { type: "string", multiple: true, default: [] },
  "allow-listen": { type: "string", multiple: true, default: [] },
  memory: { type: "string" },
  timeout: { type: "string" },
  message: { type: "string", multiple: true, default: [] },
  help: { type: "boolean", short: "h", default: false },
} satisfies NonNullable<Parameters<typeof parseArgs>[0]>["options"];

class WrongOption extends Error {}

/** Everything behind the first `--` is the module's own. */
export function parseModuleRunOptions(argv: readonly string[]): ParsedRunOptions {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  try {
    const { values, positionals } = parseArgs({ args: [...own], options: OPTIONS, allowPositionals: true });
    if (values.help) return { kind: "help" };
    const [componentPath, ...more] = positionals;
    if (componentPath === undefined) throw new WrongOption("which module? give the path of a component");
    if (more.length > 0) {
      throw new WrongOption(`"${more.join(" ")}": arguments of the module stand behind --`);
    }
    return {
      kind: "run",
      options: {
        componentPath,
        folders: values.dir.map(parseFolder),
        env: Object.fromEntries(values.env.map(parseVariable)),
        policyPath: values.policy,
        manifestPath: values.manifest,
        network: checkedRules("--allow-net", values["allow-net"], networkRuleProblem),
        listen: checkedRules("--allow-listen", values["allow-listen"], listenRuleProblem),
        memoryBytes: parseQuantity("--memory", values.memory, parseSize, SIZE_SYNTAX),
        timeoutMs: parseQuantity("--timeout", values.timeout, parseDuration, DURATION_SYNTAX),
        messages: values.message.map(parseMessage),
        args: end < 0 ? [] : argv.slice(end + 1),
      },
    };
  } catch (error) {
    // parseArgs throws for what it does not know; its message names the option.
    return { kind: "wrong", message: messageOf(error) };
  }
}

/** `HOST::GUEST`, or one path for both sides. */
function parseFolder(text: string): { hostPath: string; guestPath: string } {
  const [hostPath = "", guestPath = hostPath, ...rest] = text.split("::");
  if (hostPath === "" || guestPath === "" || rest.length > 0) {
    throw new WrongOption(`--dir ${text}: must be HOST::GUEST, such as --dir ./data::/data`);
  }
  return { hostPath, guestPath };
}

function checkedRules(
  option: string,
  rules: readonly string[],
  problemOf: (rule: string) => string | undefined,
): readonly string[] {
  for (const rule of rules) {
    const problem = problemOf(rule);
    if (problem !== undefined) throw new WrongOption(`${option}: ${problem}`);
  }
  return rules;
}

function parseVariable(text: string): [string, string] {
  const split = text.indexOf("=");
  if (split <= 0) throw new WrongOption(`--env ${text}: must be NAME=VALUE`);
  return [text.slice(0, split), text.slice(split + 1)];
}

function parseMessage(text: string): { topic: string; payload: string } {
  const split = text.indexOf("=");
  if (split <= 0)
    throw new WrongOption(`--message ${text}: must be TOPIC=PAYLOAD, such as --message message/setpoint=21`);
  return { topic: text.slice(0, split), payload: text.slice(split + 1) };
}

function parseQuantity(
  option: string,
  text: string | undefined,
  parse: (text: string) => number | undefined,
  syntax: string,
): number | undefined {
  if (text === undefined) return undefined;
  const quantity = parse(text);
  if (quantity === undefined || quantity === 0) throw new WrongOption(`${option} ${text}: must be ${syntax}`);
  return quantity;
}
