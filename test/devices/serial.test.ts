import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { DeviceError } from "../../devices/errors.ts";
import { startScriptPair } from "../../devices/script-pty.ts";
import { SerialportLine } from "../../devices/serialport-binding.ts";
import { startVirtualPair, VirtualPortPair } from "../../devices/virtual-serial.ts";
import { requireTool } from "../support/tools.ts";

const SETTINGS = {
  driver: "port",
  baud: 115_200,
  dataBits: 8,
  parity: "none",
  stopBits: 1,
  flowControl: "none",
} as const;
/** Long enough never to pass: what the test waits for comes, or the test fails by its own time limit. */
const LONG_MS = 10_000;

function lineAt(t: ExecutionContext, path: string): SerialportLine {
  const line = new SerialportLine("test", { ...SETTINGS, path });
  t.teardown(() => line.close());
  return line;
}

/** A pair of pseudo-terminals with a line on either end. */
async function linePair(t: ExecutionContext) {
  const pair = await VirtualPortPair.start("test", undefined);
  t.teardown(() => pair.close());
  return { pair, near: lineAt(t, pair.nearPath), far: lineAt(t, pair.farPath) };
}

/** Reads until this many bytes are there. */
async function readAll(line: SerialportLine, count: number): Promise<Buffer> {
  let received = Buffer.alloc(0);
  while (received.length < count) {
    received = Buffer.concat([received, await line.read(count - received.length, LONG_MS)]);
  }
  return received;
}

/** What came, or undefined if the line reports an overrun. */
async function readThroughOverrun(line: SerialportLine): Promise<Uint8Array | undefined> {
  try {
    return await line.read(4_096, LONG_MS);
  } catch (error) {
    if (error instanceof DeviceError && error.code === "device/overrun") return undefined;
    throw error;
  }
}

test("bytes of every value go both ways", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { near, far } = await linePair(t);
  await far.open();
  const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
  t.is(await near.write(bytes), 256);
  t.deepEqual(await readAll(far, 256), Buffer.from(bytes));
  t.is(await far.write(bytes), 256);
  t.deepEqual(await readAll(near, 256), Buffer.from(bytes));
});

test("a read takes at most what it asked for and leaves the rest", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { near, far } = await linePair(t);
  await near.open();
  await far.write(Buffer.from("abcdef"));
  t.is((await readAll(near, 4)).toString(), "abcd");
  t.is((await readAll(near, 2)).toString(), "ef");
});

test("a read of a silent line is empty when its time has passed", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { near } = await linePair(t);
  t.is((await near.read(10, 0)).length, 0);
  t.is((await near.read(10, 20)).length, 0);
});

test("arguments out of bounds are refused", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { near } = await linePair(t);
  for (const maxBytes of [0, -1, Number.NaN]) {
    await t.throwsAsync(near.read(maxBytes, 0), { code: "device/invalid-argument" });
  }
  await t.throwsAsync(near.write(new Uint8Array(4_097)), { code: "device/invalid-argument" });
  t.is(await near.write(new Uint8Array(0)), 0);
});

test("a port has one owner: a second one is told that it is busy", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { pair, near } = await linePair(t);
  await near.open();
  const second = lineAt(t, pair.nearPath);
  await t.throwsAsync(second.open(), { code: "device/busy", message: /serial port test/ });
  await near.close();
  await second.open();
  t.pass();
});

test("a line that was closed opens again with the next call", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { near, far } = await linePair(t);
  await near.open();
  await near.close();
  await near.close();
  t.is((await near.read(1, 0)).length, 0);
  await far.write(Buffer.from("x"));
  t.is((await readAll(near, 1)).toString(), "x");
});

test("a read that waits ends when the line is closed", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { near } = await linePair(t);
  await near.open();
  const read = near.read(1, LONG_MS);
  const closed = near.close();
  await t.throwsAsync(read, { code: "device/unavailable" });
  await closed;
});

test("unplugged while a read waits: it ends as unavailable, and so does everything until the port is back", async (t) => {
  if (!requireTool(t, "socat")) return;
  const folder = await mkdtemp(join(tmpdir(), "skerry-serial-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const link = join(folder, "port");
  const first = await VirtualPortPair.start("test", link);
  t.teardown(() => first.close());
  const line = lineAt(t, link);
  await line.open();
  const read = line.read(1, LONG_MS);
  await first.close();
  await t.throwsAsync(read, { code: "device/unavailable" });
  await t.throwsAsync(line.read(1, 0), { code: "device/unavailable", message: /not plugged in/ });
  await t.throwsAsync(line.write(Buffer.from("x")), { code: "device/unavailable" });

  const second = await VirtualPortPair.start("test", link);
  t.teardown(() => second.close());
  const other = lineAt(t, second.nearPath);
  await line.open();
  await other.write(Buffer.from("back"));
  t.is((await readAll(line, 4)).toString(), "back");
});

test("unplugged while nobody reads: the line is given up, not polled for ever", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { pair, near } = await linePair(t);
  await near.open();
  await pair.close();
  await t.throwsAsync(near.read(1, LONG_MS), { code: "device/unavailable" });
  await t.throwsAsync(near.read(1, LONG_MS), { code: "device/unavailable" });
});

test("bytes that nobody reads are bounded: an overrun is told once, then the line goes on", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { near, far } = await linePair(t);
  await near.open();
  // Ten times what the near end holds: however slow the pair is, what it has not yet carried over is less than the rest.
  for (let sent = 0; sent < 163_840; sent += 4_096) await far.write(new Uint8Array(4_096).fill(0x55));
  let overruns = 0;
  let last: number | undefined;
  while (last !== 0x21) {
    // Again each time: what comes together with the bytes that overflow is lost with them.
    await far.write(Buffer.from("!"));
    const bytes = await readThroughOverrun(near);
    if (bytes === undefined) overruns++;
    last = bytes?.at(-1);
  }
  t.true(overruns >= 1);
});

test("a port that is not there, and one that is no port", async (t) => {
  await t.throwsAsync(lineAt(t, "/dev/skerry-none").open(), {
    code: "device/unavailable",
    message: /not plugged in/,
  });
  await t.throwsAsync(lineAt(t, "/dev/null").open(), { code: "device/misconfigured", message: /settings/ });
});

test("bytes that the other end does not take: timed out, and the line works again afterwards", async (t) => {
  if (!requireTool(t, "socat")) return;
  const { near, far } = await linePair(t);
  await far.open();
  await far.close();
  const writeMany = async () => {
    for (let sent = 0; sent < 1_048_576; sent += 4_096) await near.write(new Uint8Array(4_096));
  };
  await t.throwsAsync(writeMany(), { code: "device/timed-out", message: /4096 bytes/ });
  await far.open();
  let last: number | undefined;
  while (last !== 0x78) {
    await near.write(Buffer.from("x"));
    last = (await readThroughOverrun(far))?.at(-1);
  }
  t.pass();
});

test("a pair puts a link to its far end and takes it away", async (t) => {
  if (!requireTool(t, "socat")) return;
  const folder = await mkdtemp(join(tmpdir(), "skerry, serial:"));
  t.teardown(() => rm(folder, { recursive: true }));
  const link = join(folder, "port");
  const pair = await VirtualPortPair.start("test", link);
  t.teardown(() => pair.close());
  t.is(pair.farPath, link);
  t.regex(await readlink(link), /^\/dev\/pts\//);
  await pair.close();
  await t.throwsAsync(access(link), { code: "ENOENT" });
});

for (const [tool, maker] of [
  ["socat", "VirtualPortPair.start"],
  ["script", "startScriptPair"],
] as const) {
  test(`a pair made by ${tool} goes with the process that made it, killed or not`, async (t) => {
    if (!requireTool(t, tool, "setpriv")) return;
    const folder = new URL("../../devices/", import.meta.url);
    const program = `
      const { VirtualPortPair } = await import("${new URL("virtual-serial.ts", folder)}");
      const { startScriptPair } = await import("${new URL("script-pty.ts", folder)}");
      const { nearPath, farPath } = await ${maker}("test", undefined);
      console.log(nearPath + " " + farPath);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.teardown(() => child.kill("SIGKILL"));
    const [output] = await once(child.stdout, "data");
    const paths = String(output).trim().split(" ");
    for (const path of paths) await t.notThrowsAsync(access(path));
    child.kill("SIGKILL");
    // The kernel takes the terminal away when the last process that holds it is gone.
    for (const path of paths) await untilGone(path);
  });
}

async function untilGone(path: string): Promise<void> {
  for (;;) {
    try {
      await access(path);
    } catch {
      return;
    }
    await setTimeout(20);
  }
}

test("a pair that socat can't make is an error with socat's reason", async (t) => {
  if (!requireTool(t, "socat")) return;
  await t.throwsAsync(VirtualPortPair.start("play", "/skerry-none/port"), {
    code: "device/failed",
    message: /virtual serial port play: socat ended: .*skerry-none/s,
  });
});

test("bytes of every value go both ways through a pair made by script", async (t) => {
  if (!requireTool(t, "script")) return;
  const pair = await startScriptPair("test", undefined);
  t.teardown(() => pair.close());
  const [near, far] = [lineAt(t, pair.nearPath), lineAt(t, pair.farPath)];
  await near.open();
  await far.open();
  const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
  t.is(await near.write(bytes), 256);
  t.deepEqual(await readAll(far, 256), Buffer.from(bytes));
  t.is(await far.write(bytes), 256);
  t.deepEqual(await readAll(near, 256), Buffer.from(bytes));
});

test.serial("a pair is made by script for a user without a shell, too: a service's", async (t) => {
  if (!requireTool(t, "script")) return;
  const shell = process.env["SHELL"];
  process.env["SHELL"] = "/usr/sbin/nologin";
  try {
    const pair = await startScriptPair("test", undefined);
    t.regex(pair.nearPath, /^\/dev\/pts\//);
    await pair.close();
  } finally {
    if (shell === undefined) delete process.env["SHELL"];
    else process.env["SHELL"] = shell;
  }
});

test("the link of a pair made by script comes and goes with it", async (t) => {
  if (!requireTool(t, "script")) return;
  const folder = await mkdtemp(join(tmpdir(), "skerry-serial-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const link = join(folder, "far");
  const pair = await startScriptPair("test", link);
  t.is(pair.farPath, link);
  t.regex(await readlink(link), /^\/dev\/pts\//);
  await pair.close();
  await t.throwsAsync(access(link), { code: "ENOENT" });
});

test.serial("without socat and script the error says what to install", async (t) => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/skerry-none";
  try {
    await t.throwsAsync(startVirtualPair("play", undefined), {
      code: "device/tool-missing",
      message: /play: it needs socat or script.*apt-get install socat/,
    });
  } finally {
    process.env["PATH"] = path;
  }
});

test.serial("without socat the error says what to install", async (t) => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/skerry-none";
  try {
    await t.throwsAsync(VirtualPortPair.start("play", undefined), {
      code: "device/tool-missing",
      message: /play needs socat.*apt-get install socat/,
    });
  } finally {
    process.env["PATH"] = path;
  }
});
