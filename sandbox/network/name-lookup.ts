/** Names looked up for a module, by the system's resolver, if the allow-list has them. Addresses stand for themselves. */

import { isIP } from "node:net";
import { MAX_ADDRESSES_PER_NAME, MAX_LOOKUP_MS, MAX_LOOKUPS } from "../limits.ts";
import type { AllowList } from "./allow-list.ts";
import {
  type Answer,
  type FoundAddress,
  failed,
  type Handle,
  LookupFailure,
  type NetworkContext,
  WOULD_BLOCK,
} from "./handle.ts";
import type { Interest, SocketErrorCode } from "./protocol.ts";
import { socketErrorCode } from "./socket-errors.ts";
import { canonicalAddress } from "./special-addresses.ts";

/** The resolver as one module may use it. */
export class Resolver {
  readonly #allowList: AllowList;
  readonly #refused: (what: string) => void;
  #running = 0;

  constructor(allowList: AllowList, refused: (what: string) => void) {
    this.#allowList = allowList;
    this.#refused = refused;
  }

  /** @throws LookupFailure */
  async lookUp(text: string): Promise<FoundAddress[]> {
    const name = text.toLowerCase().replace(/\.$/, "");
    if (!this.#allowList.allowsName(name)) {
      this.#refused(`looking up "${name}"`);
      throw new LookupFailure("access-denied", `the name ${name} is not granted`);
    }
    if (this.#running >= MAX_LOOKUPS) {
      throw new LookupFailure("temporary-resolver-failure", `${MAX_LOOKUPS} lookups are under way`);
    }
    const found = await this.#ask(name);
    const usable = this.#allowList.learn(name, found);
    if (usable.length === 0) {
      const addresses = found.map(({ address }) => address).join(", ");
      this.#refused(`"${name}" leads to ${addresses}, which has to be granted by itself`);
      throw new LookupFailure("access-denied", `the addresses of ${name} are not granted`);
    }
    return usable;
  }

  async #ask(name: string): Promise<FoundAddress[]> {
    this.#running += 1;
    // A thread asks, and can't be stopped: it counts until it is done.
    const asked = import("node:dns/promises")
      .then(({ lookup }) => lookup(name, { all: true, order: "verbatim" }))
      .finally(() => {
        this.#running -= 1;
      });
    const { promise, reject } = Promise.withResolvers<never>();
    const late = new LookupFailure("temporary-resolver-failure", `${name}: no answer in ${MAX_LOOKUP_MS} ms`);
    const timer = setTimeout(() => reject(late), MAX_LOOKUP_MS);
    try {
      const entries = await Promise.race([asked, promise]);
      return entries.slice(0, MAX_ADDRESSES_PER_NAME).flatMap(({ address, family: version }) => {
        const family = version === 4 ? "ipv4" : "ipv6";
        const canonical = canonicalAddress(address, family);
        return canonical === undefined ? [] : [{ address: canonical, family } as const];
      });
    } catch (error) {
      if (error instanceof LookupFailure) throw error;
      throw new LookupFailure(socketErrorCode(error), `${name} can't be resolved`);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One lookup under way. */
export class NameLookup implements Handle {
  #found: readonly string[] | undefined;
  #failure: SocketErrorCode | undefined;

  constructor(context: NetworkContext, name: string) {
    const version = isIP(name);
    if (version !== 0) {
      this.#found = [canonicalAddress(name, version === 4 ? "ipv4" : "ipv6") ?? name];
      return;
    }
    void this.#run(context, name);
  }

  answer(): Answer {
    if (this.#failure !== undefined) return failed(this.#failure);
    return this.#found === undefined ? WOULD_BLOCK : { head: { tag: "addresses", addresses: this.#found } };
  }

  isReady(_interest: Interest): boolean {
    return this.#found !== undefined || this.#failure !== undefined;
  }

  async close(): Promise<void> {
    // The resolver counts what it does for itself.
  }

  async #run(context: NetworkContext, name: string): Promise<void> {
    try {
      this.#found = (await context.lookUp(name)).map(({ address }) => address);
    } catch (error) {
      this.#failure = error instanceof LookupFailure ? error.code : "unknown";
    }
    context.changed();
  }
}
