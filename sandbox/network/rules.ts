/** What a module may do on the network, as the agent says it to the sandbox. Names are in lower case. */

export type HostPattern =
  /** Every name, and every address that is no special one. */
  | { readonly kind: "any" }
  | { readonly kind: "name"; readonly name: string }
  /** Every name that ends in a dot and this one. */
  | { readonly kind: "subdomains"; readonly parent: string }
  | {
      readonly kind: "addresses";
      readonly family: AddressFamily;
      readonly address: string;
      readonly prefixBits: number;
    };

export type AddressFamily = "ipv4" | "ipv6";

export type Protocol = "tcp" | "udp";

export interface NetworkRule {
  readonly host: HostPattern;
  readonly firstPort: number;
  readonly lastPort: number;
  readonly protocol: Protocol;
}

export interface NetworkGrants {
  /** Far ends that it may connect and send to. */
  readonly connect: readonly NetworkRule[];
  /** The device's own addresses and ports at which it may be reached. */
  readonly listen: readonly NetworkRule[];
}
