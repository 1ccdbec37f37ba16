/**
 * A lowdb adapter that survives a power cut at any instruction: two generations, `state.0.json` and `state.1.json`, each
 * `{"checksum","counter","data"}`. A write replaces the older one (new file, fsync, rename, fsync of the folder),
 * so that the newer stays whole until the write is durable; a read takes the valid one with the higher counter.
 *
 * A generation that is cut short, empty or altered is passed over for the other one. Where files exist and none is valid, which no power cut
 * does but dying flash, they are put aside (`state.0.json.damaged`) and it starts empty: a device that fetches again what it is assigned is
 * better off than one whose agent does not start. What protects it against going back must not lie here alone (it lies in `trust/`).
 * What is intact and yet not the format is refused: an agent's mistake, or a newer agent's state.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Adapter } from "lowdb";
import type { Disk } from "./disk.ts";
import { readWhole, writeDurably } from "./durable-file.ts";
import { OtaError } from "./errors.ts";
import { MAX_STATE_BYTES } from "./limits.ts";
import { isCount, isObject } from "./release.ts";

const SLOTS = [0, 1] as const;
type Slot = (typeof SLOTS)[number];

/** Damaged files are kept for whoever wants to know what happened to them. */
const DAMAGED_SUFFIX = ".damaged";

type Generation =
  | { readonly kind: "absent"; readonly slot: Slot }
  | { readonly kind: "damaged"; readonly slot: Slot; readonly reason: string }
  | { readonly kind: "valid"; readonly slot: Slot; readonly counter: number; readonly data: unknown };

type ValidGeneration = Extract<Generation, { kind: "valid" }>;

/** What the adapter keeps: `schema` is the format's version, checked before anything else of it is read. */
export type Versioned = { readonly schema: number };

export type DurableAdapterOptions<T extends Versioned> = {
  readonly disk: Disk;
  /** The folder of both generations; must exist. */
  readonly directory: string;
  /** The newest format that this program reads, and the one that it writes. */
  readonly schema: number;
  /** Narrows stored data; gives undefined for what it can't be. */
  readonly parse: (data: unknown) => T | undefined;
  /** Told of a generation that was passed over, and of a state that was lost with both. */
  readonly onDamage?: (message: string) => void;
};

export class DurableAdapter<T extends Versioned> implements Adapter<T> {
  readonly #options: DurableAdapterOptions<T>;
  #newest: { readonly slot: Slot; readonly counter: number } | undefined;

  constructor(options: DurableAdapterOptions<T>) {
    this.#options = options;
  }

  /**
   * The newest valid generation, null at the first start and where none is valid. Must have succeeded before a write.
   *
   * @throws OtaError "store/corrupt" (intact, but not the format), "store/newer-version", "store/io"
   */
  async read(): Promise<T | null> {
    const generations = await Promise.all(SLOTS.map((slot) => this.#readGeneration(slot)));
    const newest = generations.filter(isValid).sort((one, other) => other.counter - one.counter)[0];
    const damages = generations.flatMap((each) => (each.kind === "damaged" ? [each.reason] : []));
    if (newest === undefined) {
      if (damages.length > 0) {
        await this.#putAside(damages);
      }
      this.#newest = { slot: 1, counter: 0 };
      return null;
    }
    const data = this.#checkData(newest);
    for (const damage of damages) {
      this.#options.onDamage?.(`${damage}; the other generation holds`);
    }
    this.#newest = newest;
    return data;
  }

  /**
   * Durable when it returns; on failure the last generation stands.
   *
   * @throws OtaError "store/disk-full", "store/io"
   */
  async write(data: T): Promise<void> {
    if (this.#newest === undefined) {
      throw new OtaError("store/io", "the state was not read before it was written");
    }
    const slot = this.#newest.slot === 0 ? 1 : 0;
    const counter = this.#newest.counter + 1;
    const json = JSON.stringify(data);
    const text = `{"checksum":"${checksumOf(counter, json)}","counter":${counter},"data":${json}}\n`;
    await writeDurably(this.#options.disk, this.#path(slot), new TextEncoder().encode(text));
    this.#newest = { slot, counter };
  }

  /** Nothing more is needed for it to be durable: a state that comes back later is as damaged as now. */
  async #putAside(damages: readonly string[]): Promise<void> {
    const { disk, onDamage } = this.#options;
    for (const slot of SLOTS) {
      if ((await disk.entry(this.#path(slot))) !== undefined) {
        await disk.remove(this.#path(slot) + DAMAGED_SUFFIX);
        await disk.rename(this.#path(slot), this.#path(slot) + DAMAGED_SUFFIX);
      }
    }
    onDamage?.(
      `the agent's state is lost: ${damages.join("; ")}. It starts without modules and installs again what the director assigns, from ` +
        "what is on the disk where that is whole; check the device's storage",
    );
  }

  async #readGeneration(slot: Slot): Promise<Generation> {
    const path = this.#path(slot);
    let bytes: Uint8Array | undefined;
    try {
      bytes = await readWhole(this.#options.disk, path, MAX_STATE_BYTES);
    } catch (error) {
      if (error instanceof OtaError && error.code === "store/corrupt") {
        return { kind: "damaged", slot, reason: error.message };
      }
      throw error;
    }
    if (bytes === undefined) {
      return { kind: "absent", slot };
    }
    const envelope = parseEnvelope(bytes);
    return envelope === undefined
      ? { kind: "damaged", slot, reason: `${path} is damaged (${bytes.length} bytes)` }
      : { kind: "valid", slot, ...envelope };
  }

  #checkData(generation: ValidGeneration): T {
    const path = this.#path(generation.slot);
    const { data } = generation;
    const schema = isObject(data) ? data["schema"] : undefined;
    if (typeof schema === "number" && schema > this.#options.schema) {
      throw new OtaError(
        "store/newer-version",
        `${path} was written by a newer agent (format ${schema}, this one reads up to ${this.#options.schema}): ` +
          "install that agent again, or move state.0.json and state.1.json away: the device then installs again what the director assigns",
      );
    }
    const parsed = this.#options.parse(data);
    if (parsed === undefined) {
      // Intact by its checksum and yet not the format: an agent's mistake, which an older generation would only hide.
      throw this.#corrupt(`${path} is intact but does not hold what this agent writes`);
    }
    return parsed;
  }

  #corrupt(what: string): OtaError {
    return new OtaError(
      "store/corrupt",
      `the agent's state can't be read: ${what}. Install the agent that wrote it, or move state.0.json and state.1.json out of ` +
        `${this.#options.directory}: the device then installs again what the director assigns`,
    );
  }

  #path(slot: Slot): string {
    return join(this.#options.directory, `state.${slot}.json`);
  }
}

function isValid(generation: Generation): generation is ValidGeneration {
  return generation.kind === "valid";
}

/** Undefined for anything but a whole generation with the right checksum: a cut, an empty file, other contents. */
function parseEnvelope(bytes: Uint8Array): { counter: number; data: unknown } | undefined {
  let envelope: unknown;
  try {
    envelope = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // Not UTF-8 or not JSON: the same damage, whichever byte it hit.
    return undefined;
  }
  if (!isObject(envelope)) {
    return undefined;
  }
  const { checksum, counter, data } = envelope;
  // Serialising what was parsed gives the very text that was written: JSON keeps the order of members.
  return isCount(counter) && checksum === checksumOf(counter, JSON.stringify(data))
    ? { counter, data }
    : undefined;
}

function checksumOf(counter: number, json: string): string {
  return createHash("sha256").update(`${counter}\n${json}`).digest("hex");
}
