/**
 * A Modbus poller: at each timer event it reads two holding registers of a room meter on the serial port "modbus0"
 * and publishes them as JSON on telemetry/room. A reactor: it holds nothing and runs nothing between two events.
 *
 * The meter is unit 1: register 0 is the temperature in tenths of a degree Celsius (signed), register 1 the relative
 * humidity in tenths of a percent.
 */
import serial from "skerry:device/serial@0.1.0";
import messaging from "skerry:module/messaging@0.1.0";
import { readRequest, registersOf, responseLength } from "./rtu.js";

const PORT_NAME = "modbus0";
const UNIT = 1;
const REGISTER_COUNT = 2;
/** The longest response: 3 bytes of header, 4 of registers, 2 of CRC. */
const MAX_RESPONSE_BYTES = 9;
/** A meter at 9600 baud answers within 50 ms. */
const RESPONSE_TIMEOUT_MS = 200;
/** Failed polls in a row that make the module unhealthy: one or two happen on a long cable. */
const MAX_FAILED_POLLS = 3;

let port;
let failedPolls = 0;
let lastFailure = "not polled yet";
let everSucceeded = false;

/** The code of an error that an import returned, or the message of one of ours. */
function reasonOf(error) {
  if (typeof error === "string") return error;
  return String(error?.payload ?? error?.message ?? error);
}

function openPort() {
  try {
    return serial.open(PORT_NAME);
  } catch (error) {
    throw new Error(`port ${PORT_NAME}: ${reasonOf(error)}`);
  }
}

/** One whole response, however many reads it takes. */
function readResponse() {
  let response = new Uint8Array(0);
  while (response.length < (responseLength(response) ?? MAX_RESPONSE_BYTES)) {
    const part = port.read(MAX_RESPONSE_BYTES - response.length, RESPONSE_TIMEOUT_MS);
    if (part.length === 0) throw new Error(`no answer from unit ${UNIT}`);
    response = new Uint8Array([...response, ...part]);
  }
  return response;
}

function poll() {
  port ??= openPort();
  while (port.read(MAX_RESPONSE_BYTES, 0).length > 0); // what is left of an earlier answer that came too late
  port.write(readRequest(UNIT, 0, REGISTER_COUNT));
  const [temperature, humidity] = registersOf(readResponse(), UNIT, REGISTER_COUNT);
  return { temperature: ((temperature << 16) >> 16) / 10, humidity: humidity / 10 };
}

function publish(topic, value) {
  const text = JSON.stringify(value);
  messaging.publish(topic, new Uint8Array([...text].map((character) => character.charCodeAt(0)))); // ASCII alone
}

export const lifecycle = {
  init() {
    try {
      port = openPort();
    } catch (error) {
      // A meter that is unplugged comes back; only a grant that is missing will not.
      if (reasonOf(error).endsWith("not-granted")) throw reasonOf(error);
    }
  },

  health() {
    if (!everSucceeded || failedPolls >= MAX_FAILED_POLLS) {
      throw `unit ${UNIT} on ${PORT_NAME}: ${lastFailure} (${failedPolls} polls failed in a row)`;
    }
  },
};

export const timerHandler = {
  onTimer() {
    try {
      publish("telemetry/room", poll());
      failedPolls = 0;
      everSucceeded = true;
    } catch (error) {
      failedPolls++;
      lastFailure = reasonOf(error);
      throw lastFailure;
    }
  },
};
