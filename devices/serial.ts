/** What a serial port gives to its owner. The interface of every serial driver of this folder. */

export interface SerialLine {
  /**
   * Opens the line if it is not open. Every other call does so, too; this one says early what is wrong.
   *
   * Throws DeviceError "device/busy", "device/unavailable", "device/misconfigured" or "device/failed".
   */
  open(): Promise<void>;

  /**
   * At most `maxBytes` bytes as soon as there is at least one, or none when `timeoutMs` milliseconds have passed. Both
   * are capped (limits.ts).
   *
   * Throws what `open` throws, and "device/overrun" once after bytes were lost, "device/invalid-argument" if
   * `maxBytes` is not positive.
   */
  read(maxBytes: number, timeoutMs: number): Promise<Uint8Array>;

  /**
   * Sends all of `data` and returns its length in bytes, once the operating system has taken it.
   *
   * Throws what `open` throws, and "device/timed-out" if flow control held the bytes back, "device/invalid-argument"
   * if there are more than MAX_SERIAL_WRITE_BYTES.
   */
  write(data: Uint8Array): Promise<number>;

  /** Closes the line; a call that waits ends as "device/unavailable". May be opened again. Never rejects. */
  close(): Promise<void>;
}
