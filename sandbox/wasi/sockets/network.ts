/** `wasi:sockets/network` and `instance-network` (WASI 0.2): the one network that a module sees; what it reaches, the grants say. */

/** What stands for it. */
export class Network {}

/** @throws TypeError for something else, which a component may have declared */
export function requireNetwork(network: unknown): void {
  if (!(network instanceof Network)) throw new TypeError("a network comes from instance-network");
}
