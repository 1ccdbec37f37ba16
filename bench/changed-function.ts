/**
 * A component with one function changed, as a small fix changes it: some instructions more in the middle of the code, so that all that
 * follows moves and the sizes of everything around it are others. What is put in does nothing, so the component stays valid and runs.
 */

/** Section ids: what a component nests (Component Model, Binary.md), and the code of a core module (core 5.5.13). */
const CORE_MODULE_SECTION = 1;
const COMPONENT_SECTION = 4;
const CODE_SECTION = 10;
const PREAMBLE_BYTES = 8;
/** `i32.const n` and `drop`, 20 times: what a few lines of source come to. */
const PUT_IN = Buffer.from(Array.from({ length: 20 }, (_, index) => [0x41, index, 0x1a]).flat());

interface Range {
  readonly start: number;
  readonly end: number;
}

interface Section extends Range {
  readonly id: number;
  /** Where its content starts, after id and size. */
  readonly content: number;
}

/** Changes the function in the middle of the code of the longest core module, however deep it is nested. */
export function changeFunction(component: Uint8Array): Uint8Array {
  return changeLongest(component, [CORE_MODULE_SECTION, COMPONENT_SECTION], (content, { id }) =>
    id === COMPONENT_SECTION ? changeFunction(content) : changeLongest(content, [CODE_SECTION], changeCode),
  );
}

/** A component or module with the content of its longest section of these kinds changed. */
function changeLongest(
  bytes: Uint8Array,
  ids: readonly number[],
  change: (content: Uint8Array, section: Section) => Uint8Array,
): Uint8Array {
  const section = longest(sectionsOf(bytes).filter(({ id }) => ids.includes(id)));
  const content = change(bytes.subarray(section.content, section.end), section);
  return Buffer.concat([
    bytes.subarray(0, section.start),
    Buffer.of(section.id),
    leb128(content.length),
    content,
    bytes.subarray(section.end),
  ]);
}

function changeCode(code: Uint8Array): Uint8Array {
  const body = middleFunction(code);
  const size = readLeb128(code, body.start);
  // Locals stand in front of the instructions: groups of a count and a type each.
  const groups = readLeb128(code, size.end);
  let at = groups.end;
  for (let group = 0; group < groups.value; group++) at = readLeb128(code, at).end + 1;
  return Buffer.concat([
    code.subarray(0, body.start),
    leb128(size.value + PUT_IN.length),
    code.subarray(size.end, at),
    PUT_IN,
    code.subarray(at),
  ]);
}

function sectionsOf(bytes: Uint8Array): Section[] {
  const sections: Section[] = [];
  for (let at = PREAMBLE_BYTES; at < bytes.length; ) {
    const size = readLeb128(bytes, at + 1);
    sections.push({ id: bytes[at] ?? 0, start: at, content: size.end, end: size.end + size.value });
    at = size.end + size.value;
  }
  return sections;
}

/** The function around half of the code's bytes. */
function middleFunction(code: Uint8Array): Range {
  let start = readLeb128(code, 0).end;
  for (;;) {
    const size = readLeb128(code, start);
    const end = size.end + size.value;
    if (end > code.length / 2 || end >= code.length) return { start, end };
    start = end;
  }
}

function longest(sections: readonly Section[]): Section {
  const [section] = sections.toSorted((one, other) => other.end - other.start - (one.end - one.start));
  if (section === undefined) throw new Error("this is no component with a core module that has code");
  return section;
}

function readLeb128(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  let shift = 1;
  for (let at = start; ; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * shift;
    shift *= 128;
    if (byte < 0x80) return { value, end: at + 1 };
  }
}

function leb128(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}
