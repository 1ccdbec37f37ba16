/** The packages as files: what is in them, that they are the same for the same sources, and that the manual page and the example hold. */
import { execFile } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { loadConfig } from "../../agent/config.ts";
import { ARCHITECTURES } from "../../packaging/layout.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** `e_machine` of an ELF file's header. */
const ELF_MACHINE = { amd64: 62, arm64: 183, armhf: 40 } as const;
const ELF_MACHINE_OFFSET = 18;

const hasDpkg = await run("dpkg-deb", ["--version"]).then(
  () => true,
  () => false,
);
if (!hasDpkg) console.log("dpkg-deb is not installed: the tests of the packages' files are left out.");
const withDpkg = hasDpkg ? test : test.skip;

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-packages-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function build(outdir: string, umask: string, ...args: readonly string[]): Promise<string> {
  const command = `umask ${umask}; exec "$0" "$@"`;
  const main = join(ROOT, "packaging/main.ts");
  const argv = ["-c", command, process.execPath, main, "--outdir", outdir, ...args];
  const { stdout } = await run("sh", argv, { env: { ...process.env, SOURCE_DATE_EPOCH: "1790000000" } });
  return stdout;
}

withDpkg(
  "there is a package for each architecture, with that one's addon; its size is printed",
  async (t) => {
    const folder = await folderOf(t);
    const printed = await build(folder, "022");
    for (const architecture of ARCHITECTURES) {
      const name = `skerry_0.1.0_${architecture}`;
      t.regex(printed, new RegExp(`${name}\\.deb +[\\d.]+ MiB, installed [\\d.]+ MiB\n`));
      t.regex(printed, new RegExp(`${name}\\.tar\\.gz +[\\d.]+ MiB, installed [\\d.]+ MiB\n`));

      const { stdout: field } = await run("dpkg-deb", [
        "--field",
        join(folder, `${name}.deb`),
        "Architecture",
      ]);
      t.is(field, `${architecture}\n`);
      const unpacked = join(folder, architecture);
      await run("dpkg-deb", ["--extract", join(folder, `${name}.deb`), unpacked]);
      const addon = await open(join(unpacked, "usr/lib/skerry/dist/serialport.node"));
      const { buffer } = await addon.read(Buffer.alloc(2), 0, 2, ELF_MACHINE_OFFSET);
      await addon.close();
      t.is(buffer.readUInt16LE(), ELF_MACHINE[architecture]);

      const { stdout: listed } = await run("tar", ["-tzf", join(folder, `${name}.tar.gz`)]);
      for (const path of [
        "usr/bin/skerry",
        "usr/lib/systemd/system/skerry.service",
        "usr/share/doc/skerry/LICENSE",
      ]) {
        t.true(listed.split("\n").includes(path), path);
      }
    }
  },
);

withDpkg("the same sources give the same bytes, whoever builds them", async (t) => {
  const [first, second] = [await folderOf(t), await folderOf(t)];
  await build(first, "022", "--arch", "armhf");
  await build(second, "077", "--arch", "armhf");
  for (const name of ["skerry_0.1.0_armhf.deb", "skerry_0.1.0_armhf.tar.gz"]) {
    t.deepEqual(await readFile(join(first, name)), await readFile(join(second, name)), name);
  }
});

withDpkg("the copyright file names every package that is in the bundles, with its terms", async (t) => {
  const folder = await folderOf(t);
  await build(folder, "022", "--arch", "amd64");
  const packed = join(folder, "skerry_0.1.0_amd64.deb");
  await run("dpkg-deb", ["--extract", packed, join(folder, "tree")]);
  const text = await readFile(join(folder, "tree/usr/share/doc/skerry/copyright"), "utf8");
  for (const name of ["mqtt", "serialport", "@serialport/bindings-cpp", "tweetnacl", "lowdb", "smol-toml"]) {
    t.regex(text, new RegExp(`^${name} [\\d.]+, License: \\S+$`, "m"));
  }
  t.regex(text, /Permission is hereby granted, free of charge/);
  t.regex(text, /LLVM Exceptions/);
});

test("the manual page has every command", async (t) => {
  const [manual, { stdout: usage }] = await Promise.all([
    readFile(join(ROOT, "packaging/skerry.1"), "utf8"),
    run(process.execPath, [join(ROOT, "skerry.js"), "--help"]),
  ]);
  const commands = [...usage.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name);
  t.true(commands.length > 8);
  t.deepEqual(
    commands.filter((name) => !new RegExp(`^\\.B ${name}( |$)`, "m").test(manual)),
    [],
  );
});

test("the example configuration is one that the agent takes", async (t) => {
  const folder = await folderOf(t);
  const path = join(folder, "device.toml");
  await writeFile(path, await readFile(join(ROOT, "packaging/device.toml")));
  for (const name of ["password", "image.root.json", "director.root.json"]) {
    await writeFile(join(folder, name), "{}", { mode: 0o640 });
  }
  const config = await loadConfig(path);
  t.is(config.stateDir, "/var/lib/skerry");
  t.is(config.policy.grants.length, 1);
});
