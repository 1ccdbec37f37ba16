/**
 * Addresses that are not simply some host of the Internet: this device itself, its local networks, everyone at once, and
 * those that carry another address in them. No name leads to one of them, and no `*` includes them.
 *
 * IANA's registries of special-purpose addresses (RFC 6890) for IPv4 and IPv6, and multicast.
 */

import { BlockList, SocketAddress } from "node:net";
import type { AddressFamily } from "./rules.ts";

const SPECIAL_IPV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8], // this network
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // shared by a carrier's customers
  ["127.0.0.0", 8], // loopback
  ["169.254.0.0", 16], // link-local; clouds answer with credentials there
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.88.99.0", 24], // 6to4 relays
  ["192.168.0.0", 16], // private
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, and broadcast
];

const SPECIAL_IPV6: readonly (readonly [string, number])[] = [
  ["::", 8], // unspecified, loopback, and IPv4 in all its ways: compatible, mapped, translated (64:ff9b::/96)
  ["100::", 64], // discarded
  ["2001::", 23], // protocol assignments, Teredo among them
  ["2001:db8::", 32], // documentation
  ["2002::", 16], // 6to4 carries IPv4
  ["3fff::", 20], // documentation
  ["5f00::", 16], // segment routing
  ["fc00::", 7], // unique local
  ["fe80::", 10], // link-local
  ["fec0::", 10], // site-local
  ["ff00::", 8], // multicast
];

const special = { ipv4: rangesOf("ipv4", SPECIAL_IPV4), ipv6: rangesOf("ipv6", SPECIAL_IPV6) };

/** Whether an address, in canonical form, is one of those above. */
export function isSpecialAddress(address: string, family: AddressFamily): boolean {
  return special[family].check(address, family);
}

/** An address in its one form (RFC 5952), or undefined if the text is no address of the family. */
export function canonicalAddress(address: string, family: AddressFamily): string | undefined {
  try {
    return new SocketAddress({ address, family }).address;
  } catch {
    // Whatever it says, the text is no such address.
    return undefined;
  }
}

function rangesOf(family: AddressFamily, ranges: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of ranges) list.addSubnet(address, bits, family);
  return list;
}
