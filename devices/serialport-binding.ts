/**
 * A serial port through the `serialport` package's binding: its own promises instead of its streams, whose buffers
 * are neither bounded nor tell of a loss. The package is loaded when the first port is opened.
 *
 * Two properties of the binding (@serialport/bindings-cpp 13) shape this file:
 * - reading a line that has hung up answers zero bytes, which the binding retries without end: the line is therefore
 *   watched for its disconnection from the first moment, and closed then;
 * - its errors on opening carry no code, only the system's text.
 */

import type { SerialPort } from "serialport";
import { DeviceError } from "./errors.ts";
import {
  MAX_SERIAL_READ_BYTES,
  MAX_SERIAL_READ_TIMEOUT_MS,
  MAX_SERIAL_WRITE_BYTES,
  SERIAL_WRITE_SLACK_MS,
} from "./limits.ts";
import type { SerialPortConfig } from "./policy.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";
import type { SerialLine } from "./serial.ts";

type BindingPort = Awaited<ReturnType<(typeof SerialPort)["binding"]["open"]>>;

/** An open port with what came in on it. It is lost when the port is closed, by us or by being unplugged. */
type Connection = {
  readonly port: BindingPort;
  readonly received: ReceiveBuffer;
  isLost: boolean;
  cause: unknown;
};

/** One receive call of the binding takes at most this much, in bytes. */
const RECEIVE_BYTES = 1_024;

/** Bits on the line per byte, at most: start, eight of data, parity, two stop bits. */
const BITS_PER_BYTE = 12;

export class SerialportLine implements SerialLine {
  readonly #label: string;
  readonly #config: SerialPortConfig;
  #connection: Promise<Connection> | undefined;

  /** `name` is the port's name in the policy, for messages. */
  constructor(name: string, config: SerialPortConfig) {
    this.#label = `serial port ${name} (${config.path})`;
    this.#config = config;
  }

  async open(): Promise<void> {
    await this.#connected();
  }

  async read(maxBytes: number, timeoutMs: number): Promise<Uint8Array> {
    if (!(maxBytes >= 1)) {
      throw new DeviceError("device/invalid-argument", `${this.#label}: a read of ${maxBytes} bytes`);
    }
    const connection = await this.#connected();
    await connection.received.arrival(Math.min(timeoutMs, MAX_SERIAL_READ_TIMEOUT_MS));
    if (connection.isLost) throw this.#lostError(connection);
    return connection.received.take(Math.min(maxBytes, MAX_SERIAL_READ_BYTES));
  }

  async write(data: Uint8Array): Promise<number> {
    if (data.length > MAX_SERIAL_WRITE_BYTES) {
      throw new DeviceError(
        "device/invalid-argument",
        `${this.#label}: a write of ${data.length} bytes; ${MAX_SERIAL_WRITE_BYTES} are taken at a time`,
      );
    }
    const connection = await this.#connected();
    const lineMs = (data.length * BITS_PER_BYTE * 1000) / this.#config.baud;
    if (!(await this.#finishes(connection, connection.port.write(Buffer.from(data)), lineMs))) {
      // The binding can't take back what it has begun to write; only closing the port ends it.
      await this.#lose(connection, undefined);
      throw new DeviceError(
        "device/timed-out",
        `${this.#label}: flow control held ${data.length} bytes back`,
      );
    }
    return data.length;
  }

  async close(): Promise<void> {
    // A port that could not be opened has nothing to close, and its error went to who wanted it open.
    const connection = await this.#connection?.catch(() => undefined);
    if (connection !== undefined) await this.#lose(connection, undefined);
  }

  /** The connection; opened now if there is none, or if the last one was lost. */
  #connected(): Promise<Connection> {
    if (this.#connection === undefined) {
      const opening = this.#connect();
      this.#connection = opening;
      opening.catch(() => this.#forget(opening));
    }
    return this.#connection;
  }

  async #connect(): Promise<Connection> {
    const { path, baud, dataBits, parity, stopBits, flowControl } = this.#config;
    const { SerialPort } = await import("serialport");
    const software = flowControl === "software";
    const port = await SerialPort.binding
      .open({
        path,
        baudRate: baud,
        dataBits,
        parity,
        stopBits,
        rtscts: flowControl === "hardware",
        xon: software,
        xoff: software,
        lock: true,
      })
      .catch((error: unknown) => {
        throw this.#openError(error);
      });
    const connection: Connection = {
      port,
      received: new ReceiveBuffer(this.#label),
      isLost: false,
      cause: undefined,
    };
    if ("poller" in port) {
      port.poller.once("disconnect", (error: unknown) => void this.#lose(connection, error));
    }
    void this.#receive(connection);
    return connection;
  }

  /** Takes in what comes until the line is lost. Never rejects. */
  async #receive(connection: Connection): Promise<void> {
    const bytes = Buffer.alloc(RECEIVE_BYTES);
    try {
      while (!connection.isLost) {
        const { bytesRead } = await connection.port.read(bytes, 0, bytes.length);
        connection.received.push(bytes.subarray(0, bytesRead));
      }
    } catch (error) {
      await this.#lose(connection, error);
    }
  }

  /** Whether a write finishes in the time of its bytes on the line and some slack; throws if the line is lost. */
  async #finishes(connection: Connection, write: Promise<void>, lineMs: number): Promise<boolean> {
    const { promise: timedOut, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), lineMs + SERIAL_WRITE_SLACK_MS);
    try {
      return await Promise.race([write.then(() => true), timedOut]);
    } catch (error) {
      await this.#lose(connection, error);
      throw this.#lostError(connection);
    } finally {
      clearTimeout(timer);
      write.catch(() => undefined); // after the time has passed its end interests nobody
    }
  }

  /** Closes a connection for good and ends what waits for it; the next call opens another one. Never rejects. */
  async #lose(connection: Connection, cause: unknown): Promise<void> {
    if (connection.isLost) return;
    connection.isLost = true;
    connection.cause = cause;
    this.#connection = undefined;
    try {
      await connection.port.close();
    } catch {
      // A device that is gone can't be closed properly; its descriptor is released all the same.
    }
    connection.received.wake();
  }

  #forget(opening: Promise<Connection>): void {
    if (this.#connection === opening) this.#connection = undefined;
  }

  #lostError(connection: Connection): DeviceError {
    const message = `${this.#label} was closed or unplugged: try again when it is back`;
    return new DeviceError("device/unavailable", message, { cause: connection.cause });
  }

  #openError(error: unknown): DeviceError {
    const reason = error instanceof Error ? error.message : String(error);
    const [code, advice] = openErrorKind(reason);
    return new DeviceError(code, `${this.#label} can't be opened${advice}: ${reason}`, { cause: error });
  }
}

function openErrorKind(reason: string): readonly [DeviceError["code"], string] {
  if (/lock port|busy/i.test(reason)) return ["device/busy", ", another program holds it"];
  if (/no such (?:file|device)/i.test(reason)) return ["device/unavailable", ", it is not plugged in"];
  if (/permission denied/i.test(reason)) {
    return ["device/misconfigured", ", the agent's user has to be in the port's group"];
  }
  if (/ioctl|attributes|baud/i.test(reason)) return ["device/misconfigured", " with these settings"];
  return ["device/failed", ""];
}
