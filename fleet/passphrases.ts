/**
 * The passphrases of a session: the one that was given (a file, the environment), and those that a person types. What opened one key
 * is tried on the next before anybody is asked again.
 */

import { FleetError } from "./errors.ts";
import { MAX_PASSPHRASE_LENGTH, MIN_PASSPHRASE_LENGTH, PASSPHRASE_ATTEMPTS } from "./limits.ts";

/** Asks a person for something that is not shown while it is typed. */
export type Ask = (prompt: string) => Promise<string>;

const HOW_TO_GIVE =
  "run it at a terminal, or give the passphrase with --passphrase-file or SKERRY_KEY_PASSPHRASE";

export class Passphrases {
  readonly #known: string[];
  readonly #ask: Ask | undefined;

  /** @param given tried first; `ask` is undefined where there is no terminal */
  constructor(given: readonly string[] = [], ask?: Ask) {
    this.#known = [...given];
    this.#ask = ask;
  }

  /** Whether there is any hope to open an encrypted key. */
  get isAvailable(): boolean {
    return this.#known.length > 0 || this.#ask !== undefined;
  }

  /**
   * Opens what lies under a passphrase; `open` gives undefined for a wrong one.
   *
   * Throws FleetError "fleet/passphrase-missing" or "fleet/passphrase-wrong".
   */
  async open<Opened>(
    path: string,
    open: (passphrase: string) => Promise<Opened | undefined>,
  ): Promise<Opened> {
    for (const passphrase of this.#known) {
      const opened = await open(passphrase);
      if (opened !== undefined) return opened;
    }
    if (this.#ask === undefined) throw this.#cannotOpen(path);
    for (let attempt = 1; attempt <= PASSPHRASE_ATTEMPTS; attempt++) {
      const again = attempt === 1 ? "" : "That was not it. ";
      const passphrase = await this.#ask(`${again}Passphrase of ${path}: `);
      const opened = await open(passphrase);
      if (opened === undefined) continue;
      this.#known.push(passphrase);
      return opened;
    }
    throw new FleetError(
      "fleet/passphrase-wrong",
      `${path} was not opened: ${PASSPHRASE_ATTEMPTS} wrong passphrases`,
    );
  }

  /**
   * A passphrase for a new key: the one that was given, or one typed twice. Undefined for nothing typed. Throws FleetError "fleet/passphrase-missing"
   * where nobody can be asked; `orElse` is the option that leaves the key in the clear.
   */
  async choose(what: string, orElse: string): Promise<string | undefined> {
    const [given] = this.#known;
    if (given !== undefined) return checkLength(given);
    if (this.#ask === undefined) {
      throw new FleetError(
        "fleet/passphrase-missing",
        `There is no passphrase for ${what}: ${HOW_TO_GIVE}; ${orElse} leaves what is made in the clear`,
      );
    }
    for (let problem = ""; ; ) {
      const first = await this.#ask(`${problem}New passphrase for ${what} (empty: none): `);
      if (first === "") return undefined;
      problem = lengthProblem(first) ?? "";
      if (problem === "" && (await this.#ask("The same again: ")) === first) {
        this.#known.push(first);
        return first;
      }
      problem = `${problem === "" ? "They differ" : problem}. `;
    }
  }

  #cannotOpen(path: string): FleetError {
    return this.#known.length === 0
      ? new FleetError("fleet/passphrase-missing", `${path} is encrypted: ${HOW_TO_GIVE}`)
      : new FleetError(
          "fleet/passphrase-wrong",
          `The passphrase that was given does not open ${path}: ${HOW_TO_GIVE}`,
        );
  }
}

function checkLength(passphrase: string): string {
  const problem = lengthProblem(passphrase);
  if (problem === undefined) return passphrase;
  throw new FleetError("fleet/usage", problem);
}

function lengthProblem(passphrase: string): string | undefined {
  const length = passphrase.length;
  return length >= MIN_PASSPHRASE_LENGTH && length <= MAX_PASSPHRASE_LENGTH
    ? undefined
    : `A passphrase has ${MIN_PASSPHRASE_LENGTH} to ${MAX_PASSPHRASE_LENGTH} characters`;
}
