/**
 * Modbus RTU, the part that a poller needs (MODBUS over Serial Line V1.02, §2.5.1; Application Protocol V1.1b3,
 * §6.3): one request, read holding registers, and its response or exception.
 */

const READ_HOLDING_REGISTERS = 0x03;
const EXCEPTION = 0x80;

/** CRC-16 as Modbus uses it: polynomial 0xA001 reflected, start 0xFFFF. */
export function crc16(bytes) {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}

/** The bytes followed by their CRC, low byte first. */
export function frame(bytes) {
  const crc = crc16(bytes);
  return new Uint8Array([...bytes, crc & 0xff, crc >> 8]);
}

/** The request for `count` holding registers of a unit, from `address` on. */
export function readRequest(unit, address, count) {
  return frame([unit, READ_HOLDING_REGISTERS, address >> 8, address & 0xff, count >> 8, count & 0xff]);
}

/** Length in bytes of the response that starts with these bytes, or undefined while it can't be told. */
export function responseLength(bytes) {
  if (bytes.length < 3) return undefined;
  return bytes[1] & EXCEPTION ? 5 : 3 + bytes[2] + 2;
}

/** The registers (unsigned 16 bits each) of a whole response. Throws an Error that says what is wrong with it. */
export function registersOf(response, unit, count) {
  const end = response.length - 2;
  if (crc16(response.slice(0, end)) !== (response[end] | (response[end + 1] << 8)))
    throw new Error("wrong CRC");
  if (response[0] !== unit) throw new Error(`unit ${response[0]} answered instead of ${unit}`);
  if (response[1] === (READ_HOLDING_REGISTERS | EXCEPTION))
    throw new Error(`Modbus exception ${response[2]}`);
  if (response[1] !== READ_HOLDING_REGISTERS) throw new Error(`function ${response[1]} in the response`);
  if (response[2] !== count * 2) throw new Error(`${response[2]} data bytes instead of ${count * 2}`);
  return Array.from({ length: count }, (_, i) => (response[3 + 2 * i] << 8) | response[4 + 2 * i]);
}
