/** Boots the systemd of a Debian root in namespaces of its own, on a control group of its own: its units run as on a device. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import type { DebianRoot } from "./debian-root.ts";

const execute = promisify(execFile);
const POLL_MS = 100;
/** Far more than anything here takes: a machine under load is no failure. */
const MAX_WAIT_MS = 90_000;

/** In a mount namespace of its own: a control group, and in it what follows. */
const IN_OWN_GROUP = `set -e
mount -t cgroup2 cgroup2 "$1"
mkdir "$1/$2"
echo $$ > "$1/$2/cgroup.procs"
umount "$1"
shift 2
exec "$@"`;

const BOOT = `set -e
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -sfT pts/ptmx dev/ptmx
pivot_root . mnt
umount -l /mnt
exec env -i container=lxc /usr/lib/systemd/systemd --system`;

const REMOVE_GROUP = `mount -t cgroup2 cgroup2 "$1" && find "$1/$2" -depth -type d -exec rmdir {} +`;

/** Why systemd can't be booted here; undefined if it can. */
export async function whyNotBooted(): Promise<string | undefined> {
  try {
    await execute("unshare", ["--mount", "--cgroup", "mount", "-t", "cgroup2", "cgroup2", "/mnt"]);
    return undefined;
  } catch {
    return "control groups (version 2) can't be mounted";
  }
}

export class BootedDebian {
  readonly #process: ChildProcess;
  readonly #group: string;
  readonly #systemdPid: string;

  private constructor(process: ChildProcess, group: string, systemdPid: string) {
    this.#process = process;
    this.#group = group;
    this.#systemdPid = systemdPid;
  }

  static async boot(root: DebianRoot): Promise<BootedDebian> {
    const group = `skerry-test-${process.pid}`;
    const isolated = ["--cgroup", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc"];
    const boot = ["unshare", ...isolated, "sh", "-c", BOOT, "sh", root.folder];
    const child = spawn("unshare", ["--mount", "sh", "-c", IN_OWN_GROUP, "sh", "/mnt", group, ...boot], {
      stdio: "ignore",
    });
    const { pid } = child;
    if (pid === undefined) throw new Error("unshare does not start");
    const systemdPid = await until(
      () => systemdBelow(pid),
      (found) => found !== "",
    );
    const debian = new BootedDebian(child, group, systemdPid);
    await until(
      () => debian.run("systemctl", "is-system-running"),
      (state) => /^(running|degraded)$/m.test(state),
    );
    // systemd mounts terminals for itself, which its own kind of containers makes usable.
    await debian.run("chmod", "0666", "/dev/pts/ptmx");
    return debian;
  }

  /** Runs a command inside; gives its output, whatever its exit code. */
  async run(...command: readonly string[]): Promise<string> {
    const spaces = ["--mount", "--pid", "--uts", "--ipc", "--cgroup"];
    const entered = [
      "--target",
      this.#systemdPid,
      ...spaces,
      "env",
      "-i",
      "PATH=/usr/sbin:/usr/bin",
      ...command,
    ];
    const child = spawn("nsenter", entered, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
    await once(child, "close");
    return output;
  }

  /** Takes its power away. */
  async close(): Promise<void> {
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
    // The group is empty when the last of its processes is gone.
    for (let attempt = 0; attempt < 50; attempt += 1) {
      try {
        await execute("unshare", ["--mount", "sh", "-c", REMOVE_GROUP, "sh", "/mnt", this.#group]);
        return;
      } catch {
        await setTimeout(POLL_MS);
      }
    }
  }
}

/** The child that has become systemd; "" as long as there is none. */
async function systemdBelow(pid: number): Promise<string> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
  for (const child of children) {
    const name = await readFile(`/proc/${child}/comm`, "utf8").catch(() => "");
    if (name === "systemd\n") return child;
  }
  return "";
}

/** Looks again until it is so; gives what it saw then. Throws with what it saw last when that takes too long. */
export async function until(look: () => Promise<string>, isSo: (seen: string) => boolean): Promise<string> {
  const givesUpAtMs = performance.now() + MAX_WAIT_MS;
  for (;;) {
    const seen = await look();
    if (isSo(seen)) return seen;
    if (performance.now() > givesUpAtMs) throw new Error(`waited in vain; what is there: ${seen}`);
    await setTimeout(POLL_MS);
  }
}
