/** Addresses of `wasi:sockets/network` (WASI 0.2) and their texts. Zones and flow labels are left out. */

import type { Endpoint } from "../../network/protocol.ts";
import type { AddressFamily } from "../../network/rules.ts";
import { socketFailure } from "./client.ts";

type Ipv4Address = readonly [number, number, number, number];
type Ipv6Address = readonly [number, number, number, number, number, number, number, number];

export type IpAddress =
  | { readonly tag: "ipv4"; readonly val: Ipv4Address }
  | { readonly tag: "ipv6"; readonly val: Ipv6Address };

export type IpSocketAddress =
  | { readonly tag: "ipv4"; readonly val: { readonly port: number; readonly address: Ipv4Address } }
  | {
      readonly tag: "ipv6";
      readonly val: {
        readonly port: number;
        readonly flowInfo: number;
        readonly address: Ipv6Address;
        readonly scopeId: number;
      };
    };

const HEXTETS = 8;
/** The first byte of IPv4's multicast range, and of IPv6's. */
const FIRST_MULTICAST = { ipv4: 224, ipv6: 0xff00 } as const;
const LAST_MULTICAST_IPV4 = 239;
const BROADCAST = 255;

/** @throws NetworkFailure `invalid-argument` for another family, and for an IPv4-mapped address, as the WIT has it */
export function endpointOf(address: IpSocketAddress, family: AddressFamily): Endpoint {
  if (address.tag !== family || isIpv4Mapped(address)) throw socketFailure("invalid-argument");
  const { port, address: parts } = address.val;
  const text = address.tag === "ipv4" ? parts.join(".") : parts.map((part) => part.toString(16)).join(":");
  return { address: text, port };
}

/** The same, for a place that one can send to. @throws NetworkFailure `invalid-argument` */
export function remoteOf(address: IpSocketAddress, family: AddressFamily): Endpoint {
  const endpoint = endpointOf(address, family);
  const isUnspecified = address.val.address.every((part) => part === 0);
  if (isUnspecified || endpoint.port === 0) throw socketFailure("invalid-argument");
  return endpoint;
}

/** Whether it is one host's address, not everybody's or a group's. */
export function isUnicast(address: IpSocketAddress): boolean {
  const [first] = address.val.address;
  if (address.tag === "ipv6") return first < FIRST_MULTICAST.ipv6;
  const isMulticast = first >= FIRST_MULTICAST.ipv4 && first <= LAST_MULTICAST_IPV4;
  return !isMulticast && !address.val.address.every((part) => part === BROADCAST);
}

export function socketAddressOf({ address, port }: Endpoint): IpSocketAddress {
  const ip = ipAddressOf(address);
  if (ip.tag === "ipv4") return { tag: "ipv4", val: { port, address: ip.val } };
  return { tag: "ipv6", val: { port, flowInfo: 0, address: ip.val, scopeId: 0 } };
}

/** The parts of a canonical text. */
export function ipAddressOf(text: string): IpAddress {
  if (!text.includes(":")) return { tag: "ipv4", val: text.split(".").map(Number) as unknown as Ipv4Address };
  const [head = "", tail] = text.replace(/%.*$/, "").split("::");
  const front = hextets(head);
  const back = hextets(tail ?? "");
  const zeros = new Array<number>(Math.max(0, HEXTETS - front.length - back.length)).fill(0);
  return { tag: "ipv6", val: [...front, ...zeros, ...back] as unknown as Ipv6Address };
}

function hextets(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!part.includes(".")) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function isIpv4Mapped(address: IpSocketAddress): boolean {
  if (address.tag === "ipv4") return false;
  const { address: parts } = address.val;
  return parts[5] === 0xffff && parts.slice(0, 5).every((part) => part === 0);
}
