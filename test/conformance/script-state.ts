/**
 * What the directives of a script leave behind for those that follow: definitions, instances and registered names.
 *
 * What could not be made for want of a feature is remembered with that feature, so that whatever needs it is "not supported" as well.
 */

import type { Component } from "../../sandbox/component/index.ts";
import { NotSupported, type Outcome } from "./outcome.ts";

export type Definition =
  | { readonly kind: "component"; readonly component: Component }
  | { readonly kind: "module"; readonly module: WebAssembly.Module };

export interface RunningInstance {
  readonly kind: "component" | "module";
  readonly exports: Readonly<Record<string, unknown>>;
}

/** Something that a script made, or how making it came out. */
type Made<T> = { readonly value: T } | { readonly outcome: Outcome };

/** The things of one kind that a script made: by name, and the last one for directives that name none. */
class Shelf<T> {
  readonly #what: string;
  readonly #named = new Map<string, Made<T>>();
  #last: Made<T> | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  put(name: string | undefined, made: Made<T>): void {
    this.#last = made;
    if (name !== undefined) this.#named.set(name, made);
  }

  /** @throws NotSupported or Error where it is not there */
  get(name: string | undefined): T {
    const made = name === undefined ? this.#last : this.#named.get(name);
    if (made === undefined) throw new Error(`there is no ${this.#what} ${name ?? ""}`);
    if ("value" in made) return made.value;
    if (made.outcome.kind === "not supported") throw new NotSupported(made.outcome.feature);
    throw new Error(`the ${this.#what} ${name ?? ""} that it needs was not made`);
  }
}

export class ScriptState {
  readonly definitions = new Shelf<Definition>("definition");
  readonly instances = new Shelf<RunningInstance>("instance");
  /** What components and modules of the script may import: the host's, and what the script registers. */
  readonly imports: Record<string, unknown>;

  constructor(hostImports: Readonly<Record<string, unknown>>) {
    this.imports = { ...hostImports };
  }
}
