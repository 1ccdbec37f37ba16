/** `wasi:random` (WASI 0.2): the kernel's randomness, a bounded piece at a time. */

import { formatSize } from "../component/sizes.ts";
import { SandboxError } from "../errors.ts";
import { MAX_RANDOM_BYTES, RANDOM_MEMORY_DIVISOR } from "../limits.ts";
import type { ModuleSession } from "../module-session.ts";
import { randomBytes } from "./entropy.ts";

/** @param memoryBytes the module's bound of linear memory, which bytes of the host's on their way into it should be little of */
export function createRandom(session: ModuleSession, memoryBytes: number) {
  const maxBytes = Math.max(MAX_RANDOM_BYTES, Math.floor(memoryBytes / RANDOM_MEMORY_DIVISOR));
  function bytes(length: bigint): Uint8Array {
    session.enterHost();
    if (length > maxBytes) {
      // The interface has no short answer and no error: what can't be given has to end the guest.
      throw new SandboxError(
        "limit/memory",
        `the module asked for ${formatSize(Number(length))} of random bytes at once; ${formatSize(maxBytes)} are the most`,
      );
    }
    return randomBytes(Number(length));
  }
  function u64(): bigint {
    session.enterHost();
    return Buffer.from(randomBytes(8)).readBigUInt64LE();
  }
  let seed: readonly [bigint, bigint] | undefined;
  return {
    random: { getRandomBytes: bytes, getRandomU64: u64 },
    insecure: { getInsecureRandomBytes: bytes, getInsecureRandomU64: u64 },
    insecureSeed: { insecureSeed: () => (seed ??= [u64(), u64()]) },
  };
}
