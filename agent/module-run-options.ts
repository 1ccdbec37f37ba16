/** The options of `skerry module run`, narrowed. No effects. */
import { parseArgs } from "node:util";
import { listenRuleProblem, networkRuleProblem } from "../devices/network-rules.ts";
import { MAX_CONFIG_BYTES, MAX_CONFIG_VALUE_LENGTH, MAX_ENVIRONMENT_BYTES } from "../ota/limits.ts";
import { isConfigKey } from "../ota/names.ts";
import { DURATION_SYNTAX, formatSize, parseDuration, parseSize, SIZE_SYNTAX } from "../ota/units.ts";
import { messageOf } from "./errors.ts";
import { RUN_MAX_ARGUMENT_BYTES } from "./limits.ts";

export interface ModuleRunOptions {
  readonly componentPath: string;
  readonly folders: readonly { readonly hostPath: string; readonly guestPath: string }[];
  readonly env: Readonly<Record<string, string>>;
  /** For wasi:config, in the place of the manifest's and the policy's values. */
  readonly config: Readonly<Record<string, string>>;
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
  config: { type: "string", multiple: true, default: [] },
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
        env: checkedSize("--env", Object.fromEntries(values.env.map(parseVariable)), MAX_ENVIRONMENT_BYTES),
        config: checkedSize(
          "--config",
          Object.fromEntries(values.config.map(parseConfigValue)),
          MAX_CONFIG_BYTES,
        ),
        policyPath: values.policy,
        manifestPath: values.manifest,
        network: checkedRules("--allow-net", values["allow-net"], networkRuleProblem),
        listen: checkedRules("--allow-listen", values["allow-listen"], listenRuleProblem),
        memoryBytes: parseQuantity("--memory", values.memory, parseSize, SIZE_SYNTAX),
        timeoutMs: parseQuantity("--timeout", values.timeout, parseDuration, DURATION_SYNTAX),
        messages: values.message.map(parseMessage),
        args: checkedSize("arguments", end < 0 ? [] : argv.slice(end + 1), RUN_MAX_ARGUMENT_BYTES),
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

/** As a manifest's [config] has them. */
function parseConfigValue(text: string): [string, string] {
  const split = text.indexOf("=");
  const [name, value] = [text.slice(0, Math.max(0, split)), text.slice(split + 1)];
  if (!isConfigKey(name) || value.length > MAX_CONFIG_VALUE_LENGTH) {
    throw new WrongOption(
      `--config ${text}: must be NAME=VALUE, with a NAME of 1 to 64 letters, digits, _, . and -, and a VALUE of at most ${MAX_CONFIG_VALUE_LENGTH} characters`,
    );
  }
  return [name, value];
}

/** What a module is told at its start has to fit into one message to its worker. */
function checkedSize<Values extends object>(option: string, values: Values, maxBytes: number): Values {
  const sizeBytes = Buffer.byteLength(JSON.stringify(values));
  if (sizeBytes <= maxBytes) return values;
  const size = `${formatSize(sizeBytes)} together, ${formatSize(maxBytes)} are the most`;
  throw new WrongOption(`${option}: ${size}: give the module a file with --dir, or its standard input`);
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
