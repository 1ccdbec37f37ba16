/**
 * Damages a component's bytes: flips, cuts, copies, huge numbers, and whole sections moved, doubled, dropped or taken from another component.
 */

import type { Random } from "./random.ts";

const PREAMBLE_BYTES = 8;

/** A damaged copy. `other` lends sections and ranges. */
export function mutate(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let damaged: Uint8Array = bytes;
  for (let count = random.percent(70) ? 1 : 1 + random.below(4); count > 0; count -= 1)
    damaged = mutateOnce(random, damaged, other);
  return damaged;
}

function mutateOnce(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(9)) {
    case 0:
      return replaced(bytes, at, 1, Uint8Array.of(random.below(256)));
    case 1:
    case 2:
      // Indices and counts are small: a neighbour is most often another valid one.
      return replaced(bytes, at, 1, Uint8Array.of((bytes[at] ?? 0) + random.pick([1, -1, 2, 0x80])));
    case 3:
      return replaced(bytes, at, 1, Uint8Array.of(random.below(12)));
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return replaced(
        bytes,
        at,
        random.below(4),
        Uint8Array.of(0xff, 0xff, 0xff, 0xff, random.pick([0x0f, 0x07, 0x7f])),
      );
    case 6: {
      const from = random.below(other.length);
      return replaced(bytes, at, random.below(9), other.subarray(from, from + random.below(40)));
    }
    default:
      return spliceSections(random, bytes, other);
  }
}

function replaced(bytes: Uint8Array, at: number, count: number, by: Uint8Array): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, at), ...by, ...bytes.subarray(at + count)]);
}

function spliceSections(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const own = sections(bytes);
  const foreign = sections(other);
  const at = random.below(own.length + 1);
  switch (random.below(4)) {
    case 0:
      own.splice(at, 1);
      break;
    case 1:
      own.splice(at, 0, ...own.slice(at, at + 1 + random.below(3)));
      break;
    case 2:
      own.push(...own.splice(random.below(own.length + 1), 1));
      break;
    default:
      own.splice(
        at,
        random.below(2),
        ...foreign.slice(random.below(foreign.length + 1)).slice(0, 1 + random.below(3)),
      );
      break;
  }
  return Uint8Array.from([...bytes.subarray(0, PREAMBLE_BYTES), ...own.flatMap((one) => [...one])]);
}

/** The outermost sections with their headers, as far as they can be told apart. */
function sections(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  let offset = PREAMBLE_BYTES;
  while (offset < bytes.length) {
    let size = 0;
    let position = offset + 1;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[position] ?? 0;
      position += 1;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    found.push(bytes.subarray(offset, position + size));
    offset = position + size;
  }
  return found;
}
