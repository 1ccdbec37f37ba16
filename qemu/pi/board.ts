/** The hardware of a pi machine: QEMU's `virt` board with two Cortex-A53 and 512 MB, its disks on virtio. README.md says why not a Raspberry Pi's. */
import type { PiKernel } from "./kernel.ts";

const MEMORY_MIB = 512;
const PROCESSORS = 2;

export interface BoardOptions {
  readonly kernel: PiKernel;
  /** /dev/vda. `writeback`: QEMU syncs its file when the guest asks for it; `unsafe`: it never does. */
  readonly disk: {
    readonly file: string;
    readonly format: "raw" | "qcow2";
    readonly cache: "writeback" | "unsafe";
  };
  /** /dev/vdb and on, to be read only. */
  readonly archives?: readonly string[];
  readonly kernelArguments: string;
}

/** QEMU's program and arguments, without lines, network and monitor. */
export function boardCommand(options: BoardOptions): readonly string[] {
  const { kernel, disk, archives = [], kernelArguments } = options;
  const drives = [
    `file=${disk.file},format=${disk.format},cache=${disk.cache}`,
    ...archives.map((file) => `file=${file},format=raw,readonly=on`),
  ];
  return [
    ...["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-smp", `${PROCESSORS}`],
    ...["-m", `${MEMORY_MIB}`, "-no-reboot", "-kernel", kernel.image, "-initrd", kernel.initrd],
    ...["-append", `console=ttyAMA0 panic=1 ${kernelArguments}`],
    ...drives.flatMap((drive, index) => [
      ...["-drive", `${drive},if=none,id=disk${index}`],
      ...["-device", `virtio-blk-pci,drive=disk${index}`],
    ]),
    ...["-device", "virtio-rng-pci", "-nic", "none"],
  ];
}
