/**
 * The networks that this device is in, as Linux lists them: with IPv6 its own addresses and its neighbours' are the Internet's,
 * and no registry has them.
 *
 * From files of /proc, since asking the kernel (getifaddrs) takes a netlink socket, which the agent's systemd unit does not
 * allow. They leave out the device's own public IPv4 address on a point-to-point line. Elsewhere than on Linux none are known. Read anew each time: addresses come and go.
 */

import { readFileSync } from "node:fs";
import { BlockList } from "node:net";
import type { AddressFamily } from "./rules.ts";

/** A line for each address: it, the interface's number, the bits of its network …, in hexadecimal digits. */
const IPV6_ADDRESSES = "/proc/net/if_inet6";
/** A line for each route: the interface, where it leads, its gateway, …, and in the eighth field the mask, in the machine's order of bytes. */
const IPV4_ROUTES = "/proc/net/route";
const MASK_FIELD = 7;
const NO_GATEWAY = "00000000";

/** A shorter prefix is no local network, but a tunnel to everywhere. */
const LEAST_BITS = { ipv4: 8, ipv6: 32 } as const;

/** Whether an address is this device's own or one of its neighbours'. */
export function isNearAddress(
  address: string,
  family: AddressFamily,
  read: (path: string) => string = readOrNothing,
): boolean {
  const near = new BlockList();
  const lines = read(family === "ipv6" ? IPV6_ADDRESSES : IPV4_ROUTES).split("\n");
  for (const line of lines) {
    const network = family === "ipv6" ? ipv6Network(line) : ipv4Network(line);
    if (network === undefined) continue;
    near.addAddress(network.address, family);
    if (network.bits >= LEAST_BITS[family]) near.addSubnet(network.address, network.bits, family);
  }
  return near.check(address, family);
}

interface Network {
  readonly address: string;
  readonly bits: number;
}

function ipv6Network(line: string): Network | undefined {
  const [digits = "", , bits = ""] = line.trim().split(/\s+/);
  if (!/^[0-9a-f]{32}$/.test(digits)) return undefined;
  return { address: digits.replace(/.{4}(?=.)/g, "$&:"), bits: Number.parseInt(bits, 16) };
}

/** What is reached without a gateway is a network that an interface is in. */
function ipv4Network(line: string): Network | undefined {
  const fields = line.trim().split(/\s+/);
  const [, digits = "", gateway] = fields;
  const mask = fields[MASK_FIELD] ?? "";
  if (gateway !== NO_GATEWAY || !/^[0-9A-F]{8}$/.test(digits) || !/^[0-9A-F]{8}$/.test(mask))
    return undefined;
  const bytes = [...Buffer.from(digits, "hex")].reverse();
  const bits = [...BigInt(`0x${mask}`).toString(2)].filter((digit) => digit === "1").length;
  return { address: bytes.join("."), bits };
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Another system, or a kernel without that family.
    return "";
  }
}
