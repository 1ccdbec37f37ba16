/**
 * The tiny machine: an i.MX6UL board with one Cortex-A7 and 64 MB, an SD card, a temperature sensor on its I2C bus (tmp105; Linux: lm75), a second
 * serial port wired to the host. Its disk is a copy of the image, which stays as it was built.
 */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { Machine } from "../machine.ts";
import { run } from "../run.ts";
import { buildImage } from "./image.ts";
import { buildKernel, type Kernel } from "./kernel.ts";

const MEMORY_MIB = 64;
const SENSOR = "/machine/peripheral/sensor";
/** The sensor counts in sixteenths of a degree; QEMU takes thousandths. */
const MILLI = 1_000;

/** What a tiny machine is started from. */
export interface TinyParts {
  readonly kernel: Kernel;
  readonly image: string;
}

/** Builds what the cache lacks. */
export async function buildTiny(note: (line: string) => void): Promise<TinyParts> {
  const kernel = await buildKernel(note);
  return { kernel, image: await buildImage(note) };
}

/**
 * QEMU's program and arguments, without lines and monitor; the disk is made in `folder` unless it is there, so that a
 * machine that lost its power starts again with what it had written.
 */
async function tinyCommand({ kernel, image }: TinyParts, folder: string): Promise<readonly string[]> {
  const disk = join(folder, "disk.ext4");
  await access(disk).catch(() =>
    run(["cp", "--sparse=always", "--reflink=auto", image, disk], { logFile: join(folder, "qemu.log") }),
  );
  return [
    ...["qemu-system-arm", "-M", "mcimx6ul-evk", "-m", `${MEMORY_MIB}`, "-no-reboot"],
    ...["-kernel", kernel.image, "-dtb", kernel.deviceTree],
    ...["-append", "console=ttymxc0,115200 panic=1 root=/dev/mmcblk0 rw rootwait init=/sbin/init"],
    // Writes are in the host's page cache when the guest is told so. Killing QEMU leaves that cache alone: what is lost is what the guest had not yet
    // written, as in a power cut of a card without a volatile cache of its own. Raw, for QEMU keeps the tables of its own formats to itself until
    // the guest has the card flush its cache, which no guest does with a card that has none.
    ...["-drive", `file=${disk},if=sd,format=raw,index=0,cache=writeback`],
    // The board has two; the second one is eth0.
    ...["-nic", "user,model=imx.enet", "-nic", "user,model=imx.enet"],
    ...["-device", "tmp105,id=sensor,bus=i2c-bus.0,address=0x48"],
  ];
}

/** The same with its console at this terminal, for somebody to use. */
export async function shellCommand(parts: TinyParts, folder: string): Promise<readonly string[]> {
  return [...(await tinyCommand(parts, folder)), "-nographic"];
}

const SERIAL_LINES = [
  "-serial",
  "chardev:console",
  "-serial",
  "chardev:module",
  "-serial",
  "chardev:control",
];

/** Starts one with its files in `folder`; with its disk, if it has one there. */
export async function startTiny(parts: TinyParts, folder: string): Promise<Machine> {
  return Machine.start({ command: await tinyCommand(parts, folder), serialArguments: SERIAL_LINES, folder });
}

/** Sets what the sensor measures, in degrees Celsius. */
export async function setTemperature(machine: Machine, degrees: number): Promise<void> {
  const value = Math.round(degrees * MILLI);
  await machine.monitor.execute("qom-set", { path: SENSOR, property: "temperature", value });
}
