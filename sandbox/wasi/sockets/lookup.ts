/** `wasi:sockets/ip-name-lookup` (WASI 0.2): names are resolved by the agent, if they are granted. */

import { domainToASCII } from "node:url";
import { MAX_HOST_NAME_LENGTH } from "../../limits.ts";
import type { Pollable } from "../poll.ts";
import { type IpAddress, ipAddressOf } from "./addresses.ts";
import { NetworkClient, socketFailure } from "./client.ts";
import { requireNetwork } from "./network.ts";

export class ResolveAddressStream {
  readonly #client: NetworkClient;
  readonly #id: number;
  #left: IpAddress[] | undefined;

  constructor(client: NetworkClient, id: number) {
    // A component may reach this by itself, as `[constructor]resolve-address-stream`.
    if (!(client instanceof NetworkClient)) throw new TypeError("addresses come from resolve-addresses");
    this.#client = client;
    this.#id = id;
  }

  resolveNextAddress(): IpAddress | undefined {
    this.#client.enterHost();
    if (this.#left === undefined) {
      const { head } = this.#client.call({ op: "resolved", id: this.#id }, ["addresses"]);
      this.#left = head.addresses.map(ipAddressOf);
    }
    return this.#left.shift();
  }

  subscribe(): Pollable {
    this.#client.enterHost();
    return this.#client.pollable(this.#id, "done");
  }

  [Symbol.dispose](): void {
    this.#client.close(this.#id);
  }
}

export function resolveAddresses(
  client: NetworkClient,
  network: unknown,
  name: string,
): ResolveAddressStream {
  requireNetwork(network);
  const ascii = asciiName(name);
  if (ascii === undefined) throw socketFailure("invalid-argument");
  return new ResolveAddressStream(client, client.call({ op: "resolve", name: ascii }, ["opened"]).head.id);
}

/** "Unicode domain names are automatically converted to ASCII using IDNA encoding." */
function asciiName(name: string): string | undefined {
  const isAddress =
    /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name) || /^[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*$/.test(name);
  if (isAddress) return name;
  // To the conversion such a character ends the name, and what is left of it might be another one.
  if (/[\s/\\?#@:[\]%]/.test(name)) return undefined;
  const ascii = domainToASCII(name).replace(/\.$/, "");
  const isName =
    /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(ascii) && ascii.length <= MAX_HOST_NAME_LENGTH;
  // What IDNA makes an address of is one that was written as no resolver should take it.
  return isName && !/(?:^|\.)\d+$/.test(ascii) ? ascii : undefined;
}
