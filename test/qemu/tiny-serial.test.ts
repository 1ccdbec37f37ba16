/** A module in JavaScript on the emulated 64 MB machine, with its serial port wired to a program on the host. */
import test from "ava";
import { startRoomMeter } from "../../examples/modbus-js/meter.ts";
import { TinyDevice } from "../../qemu/tiny/tested-device.ts";

test("a JavaScript module talks over the second serial port with a program on the host", async (t) => {
  t.timeout(3_600_000, "a kernel is built the first time");
  await using device = await TinyDevice.create((line) => t.log(line));
  const meter = await startRoomMeter(device.rig.serialFarEnd, () => [214, 480]);
  try {
    const release = {
      component: "modbus-js/modbus-1.0.0.wasm",
      manifest: "modbus-js/module.toml",
      version: "1.0.0",
      changes: { window: '"60s"', interval: '"1s"' },
    };
    await device.install(release, "acme/modbus");
    t.regex(await device.flows("telemetry/acme.modbus/room"), /"temperature":21.4/);
  } finally {
    await meter.close();
  }
});
