/** Tiny builders of the component binary format, for bytes that no text parser would make. */

export type Bytes = readonly number[];

export const CORE_PREAMBLE: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
export const COMPONENT_PREAMBLE: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

/** `u32` in LEB128. */
export function u32(value: number): Bytes {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...u32(value >>> 7)];
}

/** A name: its length and its UTF-8. */
export function name(text: string): Bytes {
  const bytes = [...Buffer.from(text)];
  return [...u32(bytes.length), ...bytes];
}

/** A section: id, size, contents. */
export function section(id: number, contents: Bytes): Bytes {
  return [id, ...u32(contents.length), ...contents];
}

/** A component of these sections. */
export function component(...sections: Bytes[]): Bytes {
  return [...COMPONENT_PREAMBLE, ...sections.flat()];
}

/** A core module of these sections. */
export function coreModule(...sections: Bytes[]): Bytes {
  return [...CORE_PREAMBLE, ...sections.flat()];
}
