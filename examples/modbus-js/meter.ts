/**
 * The other end of the line: a simulated room meter, Modbus unit 1, for a device that has none. Run by hand at the far
 * end of a virtual serial port, or started by the demonstration and the tests.
 *
 *   node examples/modbus-js/meter.ts <path of the port>
 */
import { SerialportLine } from "../../devices/serialport-binding.ts";
import { frame, readRequest } from "./rtu.js";

const UNIT = 1;
/** A read request: unit, function, address (2), count (2), CRC (2). */
const REQUEST_BYTES = 8;
/** Time without a byte after which a request that is not whole yet is given up, in milliseconds. */
const SILENCE_MS = 1_000;

export type RoomMeter = { close(): Promise<void> };

/**
 * Answers reads of holding registers 0 (temperature in tenths of a degree, signed) and 1 (humidity in tenths of a
 * percent), each time with what `registers` gives. Requests of another shape get no answer, as from a real meter.
 *
 * Throws DeviceError if the port can't be opened.
 */
export async function startRoomMeter(
  path: string,
  registers: () => readonly [temperature: number, humidity: number],
): Promise<RoomMeter> {
  const settings = { baud: 9600, dataBits: 8, parity: "none", stopBits: 1, flowControl: "none" } as const;
  const line = new SerialportLine("meter", { driver: "port", path, ...settings });
  await line.open();
  const state = { isClosed: false };
  const finished = answerRequests(line, registers, state);
  return {
    async close() {
      state.isClosed = true;
      await line.close();
      await finished;
    },
  };
}

/** Ends when the line is lost. */
async function answerRequests(
  line: SerialportLine,
  registers: () => readonly [number, number],
  state: { isClosed: boolean },
): Promise<void> {
  const expected = Buffer.from(readRequest(UNIT, 0, 2));
  let request = Buffer.alloc(0);
  while (!state.isClosed) {
    try {
      const part = await line.read(REQUEST_BYTES - request.length, SILENCE_MS);
      request = part.length === 0 ? Buffer.alloc(0) : Buffer.concat([request, part]);
      if (request.length < REQUEST_BYTES) continue;
      if (request.equals(expected)) await line.write(frame([UNIT, 3, 4, ...registers().flatMap(bigEndian)]));
      request = Buffer.alloc(0);
    } catch {
      return; // closed, or the other program ended
    }
  }
}

function bigEndian(register: number): number[] {
  return [(register >> 8) & 0xff, register & 0xff];
}

if (import.meta.main) {
  const [path] = process.argv.slice(2);
  if (path === undefined) throw new Error("usage: node examples/modbus-js/meter.ts <path of the port>");
  await startRoomMeter(path, () => {
    const angle = (Date.now() / 60_000) * 2 * Math.PI;
    return [Math.round(215 + 20 * Math.sin(angle)), Math.round(450 + 50 * Math.cos(angle))];
  });
  console.log(`a room meter answers as unit ${UNIT} on ${path}`);
}
