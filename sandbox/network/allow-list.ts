/**
 * Where a module may connect to, decided for each connection on the agent's side.
 *
 * A rule of addresses allows what it says, special addresses included. A rule of names allows to look such a name up,
 * and then to reach what it resolved to, on the rule's ports: but never a special address (special-addresses.ts), so that
 * whoever answers for an allowed name can't point it at the device itself or at its neighbours (DNS rebinding), which an
 * address of the device's own networks is, too. Such an address has to be allowed by a rule of addresses as well. `localhost` is the loopback by definition (RFC 6761).
 */

import { BlockList } from "node:net";
import { MAX_RESOLVED_ADDRESSES } from "../limits.ts";
import { isNearAddress } from "./near-networks.ts";
import type { AddressFamily, HostPattern, NetworkGrants, NetworkRule, Protocol } from "./rules.ts";
import { isSpecialAddress } from "./special-addresses.ts";

/** A place on the network; the address in canonical form. */
export interface Place {
  readonly address: string;
  readonly family: AddressFamily;
  readonly port: number;
  readonly protocol: Protocol;
}

const LOOPBACK: Readonly<Record<AddressFamily, string>> = { ipv4: "127.0.0.1", ipv6: "::1" };

export class AllowList {
  readonly #connect: readonly NetworkRule[];
  readonly #listen: readonly NetworkRule[];
  readonly #ranges = new Map<NetworkRule, BlockList>();
  /** Addresses that an allowed name led to, with the rules by which it did; the oldest are forgotten. */
  readonly #resolved = new Map<string, ReadonlySet<NetworkRule>>();

  readonly #isNear: typeof isNearAddress;

  /** @param isNear whether an address is in one of the device's own networks */
  constructor({ connect, listen }: NetworkGrants, isNear: typeof isNearAddress = isNearAddress) {
    this.#isNear = isNear;
    this.#connect = connect;
    this.#listen = listen;
    for (const rule of [...connect, ...listen]) {
      if (rule.host.kind !== "addresses") continue;
      const range = new BlockList();
      range.addSubnet(rule.host.address, rule.host.prefixBits, rule.host.family);
      this.#ranges.set(rule, range);
    }
  }

  /** Whether a name may be looked up: for that port, or for any. */
  allowsName(name: string, port?: number): boolean {
    return this.#rulesForName(name).some(
      (rule) => port === undefined || (rule.protocol === "tcp" && hasPort(rule, port)),
    );
  }

  /** Whether a module may connect or send there. */
  allowsPlace(place: Place): boolean {
    const resolved = this.#resolved.get(place.address);
    return this.#connect.some(
      (rule) =>
        rule.protocol === place.protocol &&
        hasPort(rule, place.port) &&
        (this.#namesAddress(rule, place) || resolved?.has(rule) === true),
    );
  }

  /** Whether a module may be reached there. */
  allowsListening(place: Place): boolean {
    return this.#listen.some(
      (rule) =>
        rule.protocol === place.protocol &&
        hasPort(rule, place.port) &&
        (rule.host.kind === "any" || this.#namesAddress(rule, place)),
    );
  }

  /** Whether there is any rule for a protocol: without one a module has no use for a socket. */
  allowsAny(protocol: Protocol): boolean {
    return [...this.#connect, ...this.#listen].some((rule) => rule.protocol === protocol);
  }

  /** Notes what an allowed name resolved to; the answer is what of it may be used. */
  learn(
    name: string,
    found: readonly { address: string; family: AddressFamily }[],
  ): { address: string; family: AddressFamily }[] {
    const rules = this.#rulesForName(name);
    return found.filter(({ address, family }) => {
      const isLoopback = isLocalhost(name) && LOOPBACK[family] === address;
      if (!isLoopback && this.#isGuarded(address, family)) {
        return this.#connect.some((rule) => this.#hasAddress(rule, address, family));
      }
      // `*` stands for every name, but `localhost` has to be meant.
      const leading = isLoopback ? rules.filter(({ host }) => host.kind === "name") : rules;
      this.#remember(address, leading);
      return leading.length > 0;
    });
  }

  #rulesForName(name: string): readonly NetworkRule[] {
    return this.#connect.filter(({ host }) => hasName(host, name));
  }

  #namesAddress(rule: NetworkRule, { address, family }: Place): boolean {
    if (rule.host.kind === "any") return !this.#isGuarded(address, family);
    return this.#hasAddress(rule, address, family);
  }

  /** Whether a rule has to name it itself. */
  #isGuarded(address: string, family: AddressFamily): boolean {
    return isSpecialAddress(address, family) || this.#isNear(address, family);
  }

  /** Of the same family: to node's list `::/0` has every IPv4 address, too, and IPv4's ranges those that are mapped into IPv6. */
  #hasAddress(rule: NetworkRule, address: string, family: AddressFamily): boolean {
    if (rule.host.kind !== "addresses" || rule.host.family !== family) return false;
    return this.#ranges.get(rule)?.check(address, family) === true;
  }

  #remember(address: string, rules: readonly NetworkRule[]): void {
    const known = this.#resolved.get(address);
    this.#resolved.delete(address);
    this.#resolved.set(address, new Set([...(known ?? []), ...rules]));
    for (const oldest of this.#resolved.keys()) {
      if (this.#resolved.size <= MAX_RESOLVED_ADDRESSES) break;
      this.#resolved.delete(oldest);
    }
  }
}

function hasPort(rule: NetworkRule, port: number): boolean {
  return rule.firstPort <= port && port <= rule.lastPort;
}

function isLocalhost(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost");
}

function hasName(host: HostPattern, name: string): boolean {
  switch (host.kind) {
    case "any":
      return true;
    case "name":
      return host.name === name;
    case "subdomains":
      return name.endsWith(`.${host.parent}`);
    case "addresses":
      return false;
  }
}
