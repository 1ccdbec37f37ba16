/**
 * What the operator's commands share on the command line: options, the repository's folder, the broker's
 * address, output.
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { BrokerAddress } from "./broker.ts";
import { FleetError } from "./errors.ts";
import { readFileBounded } from "./files.ts";
import { MAX_CREDENTIAL_BYTES } from "./limits.ts";
import { Passphrases } from "./passphrases.ts";
import { findRepositoryFolder, type KeyAccess, openRepository, type Repository } from "./repository.ts";
import { isBrokerUrl } from "./settings.ts";
import { askHidden, type Terminal } from "./terminal.ts";

/** Where a command writes. */
export interface TextOutput {
  write(text: string): unknown;
}

/** What a command gets from the process, or from a test. */
export interface FleetIo {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  /** Default the process's standard input. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Default the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where passphrases are typed: standard input, if it is a terminal. Without it nobody is asked. */
  readonly terminal?: Terminal | undefined;
  /** Ends `skerry watch`; default Ctrl-C. */
  readonly signal?: AbortSignal;
}

/** One command: its options as node:util's parseArgs takes them. */
export interface FleetCommand {
  readonly usage: string;
  readonly options: Readonly<Record<string, OptionConfig>>;
  /** Names of the arguments that have to be there, for the message when they are not. */
  readonly positionals: readonly string[];
  /** Arguments that may follow. */
  readonly optionalPositionals?: number;
  /** Commands below this one, by their word; then nothing else of this one counts but its usage. */
  readonly subcommands?: Readonly<Record<string, () => Promise<FleetCommand>>>;
  run(call: CommandCall): Promise<number>;
}

interface OptionConfig {
  readonly type: "string" | "boolean";
  readonly short?: string;
}

export interface CommandCall {
  readonly io: FleetIo;
  readonly positionals: readonly string[];
  /** The value of a string option. */
  text(name: string): string | undefined;
  /** Whether a boolean option stands there. */
  flag(name: string): boolean;
}

export const REPOSITORY_OPTIONS = { repo: { type: "string" } } as const;

export const BROKER_OPTIONS = {
  broker: { type: "string" },
  username: { type: "string" },
  "password-file": { type: "string" },
  cafile: { type: "string" },
  cert: { type: "string" },
  key: { type: "string" },
} as const;

export const KEY_OPTIONS = { keys: { type: "string" }, "passphrase-file": { type: "string" } } as const;

export const KEY_USAGE = `  --keys DIR             a folder with further keys, such as a stick with the offline ones
  --passphrase-file FILE of encrypted keys; else SKERRY_KEY_PASSPHRASE, else it is asked for at the terminal
`;

export const REPOSITORY_USAGE = `  --repo DIR             the repository's folder; default SKERRY_REPO, else the current folder or one above it
`;

export const BROKER_USAGE = `  --broker URL           mqtt://host:port or mqtts://host:port; these options go before those in skerry.toml
  --username NAME        with the password in SKERRY_MQTT_PASSWORD or --password-file FILE
  --cafile FILE          certificate authority of the broker (PEM)
  --cert FILE --key FILE our client certificate and its key (PEM)
`;

/** Takes the command line of a command apart; throws FleetError "fleet/usage". */
export function parseCall(command: FleetCommand, argv: readonly string[], io: FleetIo): CommandCall {
  const parsed = parse(command, argv);
  const { positionals } = parsed;
  const missing = command.positionals[positionals.length];
  if (missing !== undefined) throw new FleetError("fleet/usage", `${missing} is missing`);
  const surplus = positionals[command.positionals.length + (command.optionalPositionals ?? 0)];
  if (surplus !== undefined) throw new FleetError("fleet/usage", `"${surplus}" is one argument too many`);
  return {
    io,
    positionals,
    text: (name) => {
      const value = parsed.values[name];
      return typeof value === "string" ? value : undefined;
    },
    flag: (name) => parsed.values[name] === true,
  };
}

function parse(command: FleetCommand, argv: readonly string[]): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({
      args: [...argv],
      options: { ...command.options },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    // node:util names the option and what is wrong with it.
    const [reason] = (error instanceof Error ? error.message : String(error)).split(". ", 1);
    throw new FleetError("fleet/usage", reason ?? "the options are wrong", { cause: error });
  }
}

/** The repository that the command works on. */
export async function repositoryOf(call: CommandCall): Promise<Repository> {
  const named = call.text("repo") ?? environment(call.io)["SKERRY_REPO"];
  return openRepository(named ?? (await findRepositoryFolder(process.cwd())), await keyAccessOf(call));
}

/** Whether the repository was named, and not looked for. */
export function isRepositoryNamed(call: CommandCall): boolean {
  return (call.text("repo") ?? environment(call.io)["SKERRY_REPO"]) !== undefined;
}

/** The same where a command does without; a repository that was named has to be there. */
export async function repositoryIfAny(call: CommandCall): Promise<Repository | undefined> {
  try {
    return await repositoryOf(call);
  } catch (error) {
    if (!isRepositoryNamed(call) && error instanceof FleetError && error.code === "fleet/no-repository")
      return undefined;
    throw error;
  }
}

/** How the command comes by private keys: what --keys, --passphrase-file and the environment say, and the terminal. */
async function keyAccessOf(call: CommandCall): Promise<KeyAccess> {
  const folder = call.text("keys");
  return {
    furtherFolders: folder === undefined ? [] : [resolve(folder)],
    passphrases: await passphrasesOf(call),
    opened: new Map(),
  };
}

/** The passphrases that a file or the environment gives, and the terminal to ask at. */
export async function passphrasesOf(call: CommandCall, option = "passphrase-file"): Promise<Passphrases> {
  const { stderr, terminal } = call.io;
  const given = await readSecret(call, option, "SKERRY_KEY_PASSPHRASE", undefined);
  const ask = terminal && ((prompt: string) => askHidden(terminal, stderr, prompt));
  return new Passphrases(given === undefined ? [] : [given], ask);
}

/**
 * The broker's address from skerry.toml, the options and the environment; throws FleetError "fleet/usage",
 * "fleet/io".
 */
export async function brokerAddressOf(call: CommandCall, { settings }: Repository): Promise<BrokerAddress> {
  const { broker } = settings;
  const url = call.text("broker") ?? broker.url;
  if (!isBrokerUrl(url)) {
    throw new FleetError(
      "fleet/usage",
      `"${url}" is no broker address: mqtt://host:port or mqtts://host:port`,
    );
  }
  const username = call.text("username") ?? broker.username;
  if (username === undefined && call.text("password-file") !== undefined) {
    throw new FleetError(
      "fleet/usage",
      "--password-file needs --username beside it, or username in skerry.toml",
    );
  }
  // Brokers close a connection without a word if a password comes without a name; without either they say what is missing.
  const password =
    username === undefined
      ? undefined
      : await readSecret(call, "password-file", "SKERRY_MQTT_PASSWORD", broker.passwordFile);
  const [ca, cert, key] = await Promise.all([
    readCredential(call.text("cafile") ?? broker.caFile),
    readCredential(call.text("cert") ?? broker.certFile),
    readCredential(call.text("key") ?? broker.keyFile),
  ]);
  if ((cert === undefined) !== (key === undefined)) {
    throw new FleetError("fleet/usage", "a client certificate needs both --cert and --key");
  }
  return {
    url,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Never from the command line itself, where every user of the machine can read it. */
async function readSecret(
  call: CommandCall,
  option: string,
  variable: string,
  settingsFile: string | undefined,
): Promise<string | undefined> {
  const optionFile = call.text(option);
  const fromEnvironment = environment(call.io)[variable];
  if (optionFile === undefined && fromEnvironment !== undefined) return fromEnvironment;
  const bytes = await readCredential(optionFile ?? settingsFile);
  // Editors and `echo` end a file with a line break, which is not part of the secret.
  return bytes?.toString("utf8").replace(/\r?\n$/, "");
}

async function readCredential(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : readFileBounded(path, MAX_CREDENTIAL_BYTES);
}

function environment(io: FleetIo): Readonly<Record<string, string | undefined>> {
  return io.env ?? process.env;
}

/** An option that is a whole number; throws FleetError "fleet/usage". */
export function wholeNumber(call: CommandCall, name: string): number | undefined {
  const text = call.text(name);
  if (text === undefined || /^[0-9]{1,9}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new FleetError("fleet/usage", `--${name} ${text}: a whole number is expected`);
}

/** "1 chunk", "2 chunks". */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}
