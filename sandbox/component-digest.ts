/**
 * What a component that was validated is known by: the SHA-256 of its bytes as `readComponentFile` gives them, without the
 * custom sections that nobody looks at. Whoever has validated these bytes may have them loaded without validation later.
 */

import { hash } from "node:crypto";

/** In lower-case hex. */
export function componentDigest(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}
