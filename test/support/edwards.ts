/** Points of edwards25519 (RFC 8032 §5.1), slow and plain: for signatures that no honest signer makes. */

const PRIME = 2n ** 255n - 19n;
const D = modulo(-121665n * inverse(121666n));

interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

export const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const IDENTITY: Point = { x: 0n, y: 1n };

export const BASE: Point = {
  x: 15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  y: 46316835694926478169428394003475163141307993866256225615783033603165251855960n,
};

function modulo(value: bigint, by = PRIME): bigint {
  return ((value % by) + by) % by;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let bits = exponent, square = modulo(base); bits > 0n; bits >>= 1n, square = modulo(square * square)) {
    if (bits & 1n) result = modulo(result * square);
  }
  return result;
}

function inverse(value: bigint): bigint {
  return power(value, PRIME - 2n);
}

export function add(left: Point, right: Point): Point {
  const product = modulo(D * left.x * right.x * left.y * right.y);
  return {
    x: modulo((left.x * right.y + left.y * right.x) * inverse(1n + product)),
    y: modulo((left.y * right.y + left.x * right.x) * inverse(1n - product)),
  };
}

export function multiply(point: Point, by: bigint): Point {
  let result = IDENTITY;
  for (let bits = by, power2 = point; bits > 0n; bits >>= 1n, power2 = add(power2, power2)) {
    if (bits & 1n) result = add(result, power2);
  }
  return result;
}

/** A point of order 8: what is left of a point outside the base point's group when that group's part is multiplied away. */
export function pointOfOrder8(): Point {
  const half = (PRIME + 3n) / 8n;
  for (let y = 2n; ; y += 1n) {
    const square = modulo((y * y - 1n) * inverse(D * y * y + 1n));
    const root = power(square, half);
    const candidates = [root, modulo(root * power(2n, (PRIME - 1n) / 4n))];
    const x = candidates.find((each) => modulo(each * each) === square);
    if (x === undefined) continue;
    const torsion = multiply({ x, y }, GROUP_ORDER);
    if (multiply(torsion, 4n).y !== 1n) return torsion;
  }
}

export function encode({ x, y }: Point): Uint8Array {
  const value = y | ((x & 1n) << 255n);
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse());
}
