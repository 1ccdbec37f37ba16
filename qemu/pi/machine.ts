/**
 * The pi machine: 512 MB, Debian 13 with systemd, a USB port with a serial adapter that can be pulled out. Its disk is an overlay over the image, which
 * stays as it was built; files come into it through a folder of the host's that it sees as /mnt.
 */
import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Machine } from "../machine.ts";
import { run } from "../run.ts";
import { boardCommand } from "./board.ts";
import { buildPiImage } from "./image.ts";
import { buildPiKernel, type PiKernel } from "./kernel.ts";

/** What a pi machine is started from. */
export interface PiParts {
  readonly kernel: PiKernel;
  readonly image: string;
}

export interface PiStart {
  /** What its clock says when it is switched on, in UTC (`1970-01-01T01:00:00`); the host's time unless said. */
  readonly clock?: string;
}

const ADAPTER = "adapter";
const ADAPTER_DEVICE = {
  driver: "usb-serial",
  id: ADAPTER,
  bus: "usb.0",
  chardev: "module",
  "always-plugged": true,
} as const;

/** Builds what the cache lacks. */
export async function buildPi(note: (line: string) => void): Promise<PiParts> {
  const kernel = await buildPiKernel(note);
  return { kernel, image: await buildPiImage(kernel, note) };
}

/** Where a machine with its files in `folder` finds what the host has for it, as /mnt. */
export function sharedFolder(folder: string): string {
  return join(folder, "shared");
}

async function piCommand(
  { kernel, image }: PiParts,
  folder: string,
  { clock }: PiStart,
): Promise<readonly string[]> {
  const disk = join(folder, "disk.qcow2");
  await access(disk).catch(() =>
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "raw", disk], {
      logFile: join(folder, "qemu.log"),
    }),
  );
  const shared = sharedFolder(folder);
  await mkdir(shared, { recursive: true });
  return [
    ...boardCommand({
      kernel,
      disk: { file: disk, format: "qcow2", cache: "writeback" },
      // systemd does not believe a clock that is behind its own release: it would set it.
      kernelArguments:
        clock === undefined ? "quiet" : `quiet systemd.clock_usec=${Date.parse(`${clock}Z`)}000`,
    }),
    ...["-netdev", "user,id=network", "-device", "virtio-net-pci,netdev=network,romfile="],
    ...["-virtfs", `local,path=${shared},mount_tag=host,security_model=none,readonly=on`],
    ...(clock === undefined ? [] : ["-rtc", `base=${clock}`]),
  ];
}

/** The command that starts one with its console at this terminal, for somebody to use. */
export async function shellCommand(parts: PiParts, folder: string): Promise<readonly string[]> {
  return [...(await piCommand(parts, folder, {})), "-nographic"];
}

/** Starts one with its files in `folder`; with its disk, if it has one there. */
export async function startPi(parts: PiParts, folder: string, options: PiStart = {}): Promise<Machine> {
  const adapter = Object.entries(ADAPTER_DEVICE).map(([key, value]) =>
    key === "driver" ? value : `${key}=${value === true ? "on" : value}`,
  );
  const serialArguments = [
    ...["-serial", "chardev:console", "-device", "pci-serial,chardev=control"],
    ...["-device", "qemu-xhci,id=usb", "-device", adapter.join(",")],
  ];
  return Machine.start({ command: await piCommand(parts, folder, options), serialArguments, folder });
}

/** Pulls the serial adapter out. */
export async function unplugAdapter({ monitor }: Machine): Promise<void> {
  await monitor.execute("device_del", { id: ADAPTER });
}

/** Plugs it in again. */
export async function plugAdapter({ monitor }: Machine): Promise<void> {
  await monitor.execute("device_add", ADAPTER_DEVICE);
}
