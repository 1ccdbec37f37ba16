/**
 * Rules of grants and requests about the network, as text: `HOST:PORTS`, for UDP with `/udp` behind it.
 *
 *     api.example.org:443            one name
 *     *.example.org:8080-8090        every name below it, not itself
 *     10.0.0.5:502  [fd00::5]:502    one address
 *     10.0.0.0/8:*  [fd00::/8]:53/udp   a range of addresses (CIDR, RFC 4632)
 *     *:443                          every name, and every address that is no special one
 *
 * Pure. Which addresses are special and what a name may lead to, the sandbox decides when a module connects.
 */

import { BlockList, isIPv4, isIPv6 } from "node:net";
import { MAX_PORT } from "./limits.ts";

type HostPattern =
  | { readonly kind: "any" }
  | { readonly kind: "name"; readonly name: string }
  /** Every name that ends in a dot and this one. */
  | { readonly kind: "subdomains"; readonly parent: string }
  | {
      readonly kind: "addresses";
      readonly family: "ipv4" | "ipv6";
      readonly address: string;
      readonly prefixBits: number;
    };

export type NetworkRule = {
  readonly host: HostPattern;
  readonly firstPort: number;
  readonly lastPort: number;
  readonly protocol: "tcp" | "udp";
};

/** What a module may do on the network. */
export type NetworkGrants = {
  /** Far ends that it may connect and send to. */
  readonly connect: readonly NetworkRule[];
  /** The device's own addresses and ports at which it may be reached. */
  readonly listen: readonly NetworkRule[];
};

const RULE =
  /^(?<host>\*|\[[0-9a-fA-F:.]+(?:\/\d{1,3})?\]|[^:[\]/]+(?:\/\d{1,2})?):(?<ports>\*|\d{1,5}(?:-\d{1,5})?)(?:\/(?<protocol>tcp|udp))?$/;
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const BITS = { ipv4: 32, ipv6: 128 } as const;

/** The rule that a text stands for, or undefined if it is none. */
export function parseNetworkRule(text: string): NetworkRule | undefined {
  const groups = RULE.exec(text)?.groups;
  if (groups === undefined) return undefined;
  const host = parseHost(groups["host"] ?? "");
  const [firstPort, lastPort = firstPort] =
    groups["ports"] === "*" ? [0, MAX_PORT] : (groups["ports"] ?? "").split("-").map(Number);
  if (host === undefined || firstPort === undefined || lastPort === undefined) return undefined;
  if (firstPort > lastPort || lastPort > MAX_PORT) return undefined;
  return { host, firstPort, lastPort, protocol: groups["protocol"] === "udp" ? "udp" : "tcp" };
}

/** The rules of texts, those left out that are none. */
export function rulesOf(texts: readonly string[]): readonly NetworkRule[] {
  return texts.flatMap((text) => parseNetworkRule(text) ?? []);
}

/** Why a text is no rule for `network`, or undefined if it is one. */
export function networkRuleProblem(text: string): string | undefined {
  if (parseNetworkRule(text) !== undefined) return undefined;
  return `"${text}" must be HOST:PORT, such as "api.example.org:443", "*.example.org:443", "10.0.0.5:502", "[fd00::/8]:53/udp"`;
}

/** Why a text is no rule for `listen`, or undefined if it is one: a module listens at an address, not at a name. */
export function listenRuleProblem(text: string): string | undefined {
  const rule = parseNetworkRule(text);
  if (rule?.host.kind === "any" || rule?.host.kind === "addresses") return undefined;
  return `"${text}" must be ADDRESS:PORT of the device, such as "*:8080", "127.0.0.1:8080", "*:5353/udp"`;
}

/** Whether `wide` allows everything that `narrow` does. */
export function coversRule(wide: NetworkRule, narrow: NetworkRule): boolean {
  return (
    wide.protocol === narrow.protocol &&
    wide.firstPort <= narrow.firstPort &&
    wide.lastPort >= narrow.lastPort &&
    coversHost(wide.host, narrow.host)
  );
}

function coversHost(wide: HostPattern, narrow: HostPattern): boolean {
  switch (wide.kind) {
    case "any":
      // A special address has to be granted by itself.
      return narrow.kind !== "addresses";
    case "name":
      return narrow.kind === "name" && narrow.name === wide.name;
    case "subdomains": {
      const name = narrow.kind === "name" ? narrow.name : narrow.kind === "subdomains" ? narrow.parent : "";
      return name.endsWith(`.${wide.parent}`) || (narrow.kind === "subdomains" && name === wide.parent);
    }
    case "addresses": {
      if (narrow.kind !== "addresses" || narrow.family !== wide.family) return false;
      const range = new BlockList();
      range.addSubnet(wide.address, wide.prefixBits, wide.family);
      return wide.prefixBits <= narrow.prefixBits && range.check(narrow.address, narrow.family);
    }
  }
}

function parseHost(text: string): HostPattern | undefined {
  if (text === "*") return { kind: "any" };
  const [address = "", bits] = text.replace(/^\[(.*)\]$/, "$1").split("/");
  const family = isIPv4(text.split("/")[0] ?? "") ? "ipv4" : text.startsWith("[") ? "ipv6" : undefined;
  if (family !== undefined) {
    const prefixBits = bits === undefined ? BITS[family] : Number(bits);
    const isAddress = family === "ipv4" || (isIPv6(address) && !address.includes("%"));
    return isAddress && prefixBits <= BITS[family]
      ? { kind: "addresses", family, address, prefixBits }
      : undefined;
  }
  const lowerCase = text.toLowerCase();
  const parent = lowerCase.startsWith("*.") ? lowerCase.slice(2) : undefined;
  // A name of digits only is what a mistyped address looks like.
  if (!HOST_NAME.test(parent ?? lowerCase) || /(?:^|\.)\d+$/.test(lowerCase)) return undefined;
  return parent === undefined ? { kind: "name", name: lowerCase } : { kind: "subdomains", parent };
}
