/** `skerry module run` and `skerry module inspect`, in processes of their own. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { configCommandText } from "../support/config-module.ts";
import { commandText, componentFile, reactorText } from "../support/modules.ts";
import { skerry } from "../support/skerry-command.ts";

const guest = (name: string) => fileURLToPath(new URL(`../sandbox/guests/${name}.wasm`, import.meta.url));
const thermo = fileURLToPath(new URL("../../examples/thermo-c", import.meta.url));

async function policyFile(t: ExecutionContext, grant: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "skerry-policy-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const sensor = '[sensor.ambient]\ndriver = "simulated"\n';
  await writeFile(join(folder, "device.toml"), `${sensor}[[grant]]\n${grant}`);
  return join(folder, "device.toml");
}

test("run: a command gets its arguments, its variables and its input, and its output comes unchanged", async (t) => {
  const args = ["--env", "GUEST_VARIABLE=wert=1", "--", "--dir", "two words"];
  const { code, stdout, stderr } = await skerry(
    ["module", "run", guest("libc"), ...args],
    Buffer.of(0, 255, 10),
  );
  t.is(
    stdout.toString(),
    "argument 1: --dir\nargument 2: two words\nvariable: wert=1\ninput: 3 bytes, sum 265\n",
  );
  t.is(stderr, "to standard error\n");
  t.is(code, 0);
});

test("run: input of any size streams through", async (t) => {
  const input = new Uint8Array(3_000_000).fill(1);
  const { stdout } = await skerry(["module", "run", guest("libc")], input);
  t.regex(stdout.toString(), /input: 3000000 bytes/);
});

test("run: nothing of this process is handed on: no variables, no files", async (t) => {
  const { code, stdout } = await skerry(["module", "run", guest("files")]);
  t.is(code, 0);
  t.regex(stdout.toString(), /arguments: \[\]\nvariable: None\n[\s\S]*no files: ok/);
});

test("run: a folder that was named is all of the host's files", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "skerry-folder-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const rust = await skerry(["module", "run", guest("files"), "--dir", `${folder}::/work`, "--", "/work"]);
  t.regex(rust.stdout.toString(), /files: ok\ndone\n$/, rust.stderr);
  t.is(rust.code, 0);
  const c = await skerry([
    "module",
    "run",
    guest("libc"),
    "--dir",
    `${folder}::/data`,
    "--env",
    "GUEST_VARIABLE=files",
  ]);
  t.regex(c.stdout.toString(), /files: ok\n/);
  t.is(c.code, 0);
});

test("run: storage that a manifest requests is a folder with that quota, named by whoever runs it", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "skerry-folder-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const policy = await policyFile(t, 'module = "acme/*"\nstorage = "8B"\nmemory = "8MiB"\n');
  const data = join(folder, "data");
  await mkdir(data);
  const manifest = join(folder, "module.toml");
  const request = '[request]\nstorage = "8B"\n[env]\nGUEST_VARIABLE = "files"\n';
  await writeFile(manifest, `name = "acme/guest"\nversion = "1.0.0"\nworld = "command"\n${request}`);
  const args = ["module", "run", guest("libc"), "--policy", policy, "--manifest", manifest];
  const without = await skerry(args);
  t.is(without.code, 125);
  t.regex(without.stderr, /requests storage: give it a folder with --dir FOLDER::\/data/);
  const { stdout } = await skerry([...args, "--dir", `${data}::/data`]);
  t.regex(stdout.toString(), /write\(file, "0123456789", 10\) == 10 \(errno 19/);
});

test("run: a folder that is not there is named", async (t) => {
  const { code, stderr } = await skerry(["module", "run", guest("libc"), "--dir", "/nowhere::/data"]);
  t.is(code, 125);
  t.regex(stderr, /--dir \/nowhere: there is no such folder/);
});

test("run: a command that fails ends with 1", async (t) => {
  const { code } = await skerry(["module", "run", guest("libc"), "--", "exit=3"]);
  t.is(code, 1);
});

test("run: a trap ends with 134 and shows the stack with the functions' names", async (t) => {
  const { code, stderr } = await skerry(["module", "run", guest("libc"), "--env", "GUEST_VARIABLE=trap"]);
  t.is(code, 134);
  t.regex(stderr, /error: libc\.wasm trapped: .*unreachable \(trap\/wasm\)\n {2}at /);
  t.regex(stderr, /\bdeeper [\s\S]*\bmain [\s\S]*\b_start /);
});

test("run: a module that waits for input without end is ended after --timeout", async (t) => {
  const { code, stderr } = await skerry(["module", "run", guest("libc"), "--timeout", "500ms"], "open");
  t.is(code, 124);
  t.regex(stderr, /ended after 500 ms/);
});

test("run: so is one that computes without end", async (t) => {
  const path = await componentFile(commandText("(loop $forever (br $forever)) (i32.const 0)"));
  const { code } = await skerry(["module", "run", path, "--timeout", "500ms"]);
  t.is(code, 124);
});

test("run: a component that needs more memory than --memory allows does not start", async (t) => {
  const { code, stderr } = await skerry(["module", "run", guest("files"), "--memory", "64KiB"]);
  t.is(code, 134);
  t.regex(stderr, /limit\/memory/);
});

test("run: what is no component is refused with 125", async (t) => {
  const { code, stderr } = await skerry(["module", "run", fileURLToPath(import.meta.url)]);
  t.is(code, 125);
  t.regex(stderr, /component\/not-a-component/);
});

test("run: a sensor without a policy is refused by name", async (t) => {
  const { code, stderr } = await skerry(["module", "run", join(thermo, "thermo-1.0.0.wasm")]);
  t.is(code, 125);
  t.regex(
    stderr,
    /^error: thermo-1\.0\.0\.wasm imports .*skerry:device\/sensor@0\.1\.0.*sandbox\/import-not-granted/,
  );
  t.regex(stderr, /without --manifest FILE/);
});

test("run: a manifest without a policy is refused, and what is missing named", async (t) => {
  const manifest = ["--manifest", join(thermo, "module.toml")];
  const { code, stderr } = await skerry(["module", "run", join(thermo, "thermo-1.0.0.wasm"), ...manifest]);
  t.is(code, 125);
  t.regex(stderr, /^error: without --policy FILE nothing is granted: .*acme\/thermo.*agent\/not-granted/);
});

test("run: a policy for all modules grants without a manifest", async (t) => {
  const policy = await policyFile(t, 'module = "*/*"\nsensor = ["ambient"]\npublish = ["telemetry/#"]\n');
  const args = ["module", "run", join(thermo, "thermo-1.0.0.wasm"), "--policy", policy];
  const published = /published telemetry\/temperature: /;
  const { code, stderr } = await skerry([...args, "--timeout", "60s"], "open", published);
  t.regex(stderr, published);
  t.is(code, 130, "ended by the interrupt");
});

test("run: a reactor runs until it is interrupted, called by its timer", async (t) => {
  const text = reactorText({ onTimer: "(drop (call $publish (i32.const 64) (i32.const 5))) (i32.const 0)" });
  const path = await componentFile(text);
  const policy = await policyFile(t, 'module = "acme/*"\nsensor = ["ambient"]\npublish = ["telemetry/#"]\n');
  const manifest = join(dirname(path), "module.toml");
  const head = 'name = "acme/tick"\nversion = "1.0.0"\nworld = "reactor"\n';
  const request = '[request]\nsensor = ["ambient"]\npublish = ["telemetry/#"]\n';
  await writeFile(manifest, `${head}${request}[reactor]\ninterval = "100ms"\n`);
  const args = ["module", "run", path, "--policy", policy, "--manifest", manifest, "--timeout", "60s"];
  const { code } = await skerry(args, "open", /(published telemetry\/x: hello\n){2}/);
  t.is(code, 130);
});

test("run: with a manifest the policy decides as on a device", async (t) => {
  const policy = await policyFile(t, 'module = "acme/thermo"\nsensor = ["ambient"]\n');
  const files = ["--policy", policy, "--manifest", join(thermo, "module.toml")];
  const { code, stderr } = await skerry(["module", "run", join(thermo, "thermo-1.0.0.wasm"), ...files]);
  t.is(code, 125);
  t.regex(stderr, /acme\/thermo asks for to publish on "telemetry\/#"/);
});

test("run: a policy holds its grant of code, as on a device; without a policy there is no bound", async (t) => {
  const run = (...options: string[]) => skerry(["module", "run", guest("libc"), ...options]);
  const policy = await policyFile(t, 'module = "acme/*"\ncode = "4KiB"\nmemory = "8MiB"\n');
  const manifest = join(dirname(policy), "module.toml");
  await writeFile(
    manifest,
    'name = "acme/libc"\nversion = "1.0.0"\nworld = "command"\n[request]\nmemory = "8MiB"\n',
  );
  const named = await run("--policy", policy, "--manifest", manifest);
  t.is(named.code, 125);
  t.regex(
    named.stderr,
    /^error: acme\/libc has [0-9.]+KiB of code and is granted 4KiB: .*sandbox\/code-exceeds-grant/,
  );

  const forAll = await policyFile(t, 'module = "*/*"\ncode = "4KiB"\n');
  const unnamed = await run("--policy", forAll);
  t.is(unnamed.code, 125);
  t.regex(unnamed.stderr, /^error: libc\.wasm has .* is granted 4KiB/);
  t.regex(unnamed.stderr, /without --manifest FILE/);
  t.is((await run()).code, 0);
});

test("run: --config goes before the policy's values, and those before the manifest's", async (t) => {
  const setpoint = async (...options: string[]) => {
    const component = await componentFile(configCommandText(""));
    const { code, stderr } = await skerry(["module", "run", component, ...options]);
    t.is(code, 0, stderr);
    return /setpoint: (.*)$/m.exec(stderr)?.[1];
  };
  const policy = await policyFile(t, 'module = "*/*"\nconfig = { setpoint = "policy" }\n');
  const manifest = join(dirname(policy), "module.toml");
  const tables = '[config]\nsetpoint = "manifest"\n';
  await writeFile(manifest, `name = "acme/guest"\nversion = "1.0.0"\nworld = "command"\n${tables}`);
  t.is(await setpoint(), "none");
  t.is(await setpoint("--config", "setpoint=21=5"), "21=5");
  t.is(await setpoint("--policy", policy), "policy");
  t.is(await setpoint("--policy", policy, "--manifest", manifest), "policy");
  t.is(await setpoint("--policy", policy, "--manifest", manifest, "--config", "setpoint="), "");
});

test("run: wrong usage is named and ends with 2", async (t) => {
  const wrong = [
    [["--dir", "::/x", "a.wasm"], /HOST::GUEST/],
    [["--env", "NAME", "a.wasm"], /NAME=VALUE/],
    [["--env", `NAME=${"x".repeat(40_000)}`, "a.wasm"], /--env: 39\.\dKiB together, 32KiB are the most/],
    [["--config", "set point=1", "a.wasm"], /--config set point=1: must be NAME=VALUE/],
    [["--config", "setpoint", "a.wasm"], /--config setpoint: must be NAME=VALUE/],
    [["a.wasm", "--", "x".repeat(40_000)], /arguments: 39\.\dKiB together, 32KiB are the most/],
    [["--memory", "lots", "a.wasm"], /a size such as/],
    [["--message", "message/a", "a.wasm"], /TOPIC=PAYLOAD/],
    [["--colour", "a.wasm"], /--colour/],
    [["a.wasm", "b.wasm"], /behind --/],
    [[], /which module/],
  ] as const;
  for (const [args, message] of wrong) {
    const { code, stderr } = await skerry(["module", "run", ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
  }
});

test("inspect: imports, exports, sizes and what to grant", async (t) => {
  const path = join(thermo, "thermo-1.0.0.wasm");
  const { code, stdout } = await skerry(["module", "inspect", path, "--json"]);
  t.is(code, 0);
  const inspection: unknown = JSON.parse(stdout.toString());
  t.like(inspection, { world: "command", file: "thermo-1.0.0.wasm" });
  const text = (await skerry(["module", "inspect", path])).stdout.toString();
  t.regex(text, /skerry:device\/sensor@0\.1\.0 {2}needs a grant\n( {4}.*\n)* {4}open\n/);
  t.regex(text, /\[\[grant\]\]\n[\s\S]*sensor = \["ambient"\]\n *publish = \["telemetry\/#"\]/);
});

test("inspect: what is no component fails with its code", async (t) => {
  const { code, stderr } = await skerry(["module", "inspect", fileURLToPath(import.meta.url)]);
  t.is(code, 1);
  t.regex(stderr, /component\/not-a-component/);
});

test("inspect: a file that is not there is named", async (t) => {
  const { code, stderr } = await skerry(["module", "inspect", "nowhere.wasm"]);
  t.is(code, 1);
  t.is(stderr, "error: nowhere.wasm: there is no such file\n");
});

test("run: a reactor is told what --message says, and its answer is shown", async (t) => {
  const policy = await policyFile(
    t,
    'module = "acme/*"\nsensor = ["ambient"]\npublish = ["telemetry/#"]\nsubscribe = ["message/#"]\n',
  );
  const manifest = join(dirname(policy), "module.toml");
  await writeFile(
    manifest,
    'name = "acme/echo"\nversion = "1.0.0"\nworld = "reactor"\n[request]\nsensor = ["ambient"]\npublish = ["telemetry/#"]\nsubscribe = ["message/#"]\n',
  );
  // Echoes; an empty message is an error.
  const onMessage = `(drop (call $publish (local.get $payload) (local.get $length)))
    (if (result i32) (local.get $length) (then (i32.const 0)) (else (i32.const 16)))`;
  const component = await componentFile(reactorText({ onMessage }));
  const args = ["module", "run", component, "--policy", policy, "--manifest", manifest];
  const messages = ["--message", "message/a=x=1", "--message", "message/b=", "--timeout", "60s"];
  const told = await skerry([...args, ...messages], "open", /not well/);
  t.is(
    told.stderr,
    "published telemetry/x: x=1\ndelivered message/a\npublished telemetry/x: \nwarning: on-message: not well\nerror: acme/echo@1.0.0 was ended by SIGINT\n",
  );
  const refused = await skerry([...args, "--message", "telemetry/acme.thermo/x=1"]);
  t.is(refused.code, 125);
  t.regex(refused.stderr, /acme\/echo is told "message\/#": add the topic to subscribe/);
});
