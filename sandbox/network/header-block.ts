/**
 * HTTP fields on the channel: for each, the length of its name (u16), the length of its value (u16, both little-endian),
 * the name and the value. Values are bytes; names are ASCII.
 */

import { MAX_HTTP_HEADER_BYTES, MAX_HTTP_HEADERS } from "../limits.ts";

export type HeaderField = readonly [name: string, value: Uint8Array];

const LENGTHS_BYTES = 4;

/** What a list of fields counts towards `MAX_HTTP_HEADER_BYTES`, in bytes. */
export function headerBlockBytes(
  fields: readonly (readonly [name: string, value: { readonly length: number }])[],
): number {
  return fields.reduce((sum, [name, value]) => sum + LENGTHS_BYTES + name.length + value.length, 0);
}

/** The block of a list of fields, which is within the limits. */
export function encodeHeaders(fields: readonly HeaderField[]): Uint8Array {
  const block = new Uint8Array(headerBlockBytes(fields));
  const view = new DataView(block.buffer);
  let at = 0;
  for (const [name, value] of fields) {
    view.setUint16(at, name.length, true);
    view.setUint16(at + 2, value.byteLength, true);
    block.set(Buffer.from(name, "latin1"), at + LENGTHS_BYTES);
    block.set(value, at + LENGTHS_BYTES + name.length);
    at += LENGTHS_BYTES + name.length + value.byteLength;
  }
  return block;
}

/** The fields of a block, or undefined if it is none or exceeds the limits. */
export function decodeHeaders(block: Uint8Array): HeaderField[] | undefined {
  if (block.byteLength > MAX_HTTP_HEADER_BYTES) return undefined;
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const fields: HeaderField[] = [];
  let at = 0;
  while (at < block.byteLength) {
    if (at + LENGTHS_BYTES > block.byteLength || fields.length === MAX_HTTP_HEADERS) return undefined;
    const nameEnd = at + LENGTHS_BYTES + view.getUint16(at, true);
    const valueEnd = nameEnd + view.getUint16(at + 2, true);
    if (valueEnd > block.byteLength) return undefined;
    const name = Buffer.from(block.subarray(at + LENGTHS_BYTES, nameEnd)).toString("latin1");
    fields.push([name, block.slice(nameEnd, valueEnd)]);
    at = valueEnd;
  }
  return fields;
}
