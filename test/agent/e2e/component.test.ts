/**
 * A release that is signed by right and yet nothing that this device may run: refused before a line of it runs, under the code that
 * says what to do about it, while 1.0.0 runs on.
 */
import { randomBytes } from "node:crypto";
import test from "ava";
import type { TestRelease } from "../../support/releases.ts";
import { componentFromText } from "../../support/wat.ts";
import { SharedDevice } from "./harness.ts";
import { manifestOf, reactor, release, steady } from "./releases.ts";

const shared = new SharedDevice();
test.after.always(() => shared.close());

/** Component Model binary format: the preamble, then a type section of two bytes: a count of 2^32 - 1 does not fit into them. */
const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
const HUGE_SECTION_SIZE = [7, 0xff, 0xff, 0xff, 0xff, 0x0f];
const HUGE_ITEM_COUNT = [7, 5, 0xff, 0xff, 0xff, 0xff, 0x0f];

const RUN = `(core module $m (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $exported (export "run" (func $run)))`;
const importing = (name: string): string =>
  `(component (import "${name}" (instance)) ${RUN} (export "wasi:cli/run@0.2.4" (instance $exported)))`;

interface Refusal {
  readonly rule: string;
  readonly code: string;
  /** In the message: what has to be changed. */
  readonly names?: RegExp;
  readonly make: (version: string) => Promise<TestRelease>;
}

const REFUSALS: readonly Refusal[] = [
  {
    rule: "a core module",
    code: "stage/not-a-component",
    make: async (version) => release(version, await componentFromText("(module)")),
  },
  {
    rule: "random bytes",
    code: "stage/not-a-component",
    make: async (version) => release(version, randomBytes(5_000)),
  },
  {
    rule: "a section header with a huge size",
    code: "stage/component-invalid",
    make: async (version) => release(version, Uint8Array.from([...PREAMBLE, ...HUGE_SECTION_SIZE])),
  },
  {
    rule: "a section with a huge count of items",
    code: "stage/component-invalid",
    make: async (version) => release(version, Uint8Array.from([...PREAMBLE, ...HUGE_ITEM_COUNT])),
  },
  {
    rule: "a component that was cut off before it was signed",
    code: "stage/component-invalid",
    make: async (version) => {
      const { component } = await steady(version);
      return release(version, component.subarray(0, component.length / 2));
    },
  },
  {
    rule: "an import that the policy does not grant",
    code: "stage/import-not-granted",
    names: /skerry:device\/serial@0\.1\.0/,
    make: async (version) =>
      release(version, await componentFromText(importing("skerry:device/serial@0.1.0")), {
        serial: ["modbus0"],
      }),
  },
  {
    rule: "an import that the manifest does not request",
    code: "stage/import-not-granted",
    names: /skerry:device\/sensor@0\.1\.0/,
    make: (version) => steady(version, { sensor: [] }),
  },
  {
    rule: "a request beyond the policy, used or not",
    code: "stage/import-not-granted",
    names: /command\/reboot/,
    make: (version) => steady(version, { publish: ["telemetry/#", "command/reboot"] }),
  },
  {
    rule: "an import that nobody has",
    code: "stage/import-unknown",
    names: /acme:rocket\/launch@1\.0\.0/,
    make: async (version) => release(version, await componentFromText(importing("acme:rocket/launch@1.0.0"))),
  },
  {
    rule: "the network, which it does not request",
    code: "stage/import-not-granted",
    names: /wasi:sockets\/tcp@0\.2\.0/,
    make: async (version) => release(version, await componentFromText(importing("wasi:sockets/tcp@0.2.0"))),
  },
  {
    rule: "a command without the export of its world",
    code: "stage/export-missing",
    names: /wasi:cli\/run/,
    make: async (version) => release(version, await componentFromText("(component)")),
  },
  {
    rule: "a reactor in the manifest that is a command in the file",
    code: "stage/export-missing",
    names: /skerry:module\/lifecycle/,
    make: async (version) => release(version, (await steady(version)).component, { world: "reactor" }),
  },
  {
    rule: "a command in the manifest that is a reactor in the file",
    code: "stage/export-missing",
    names: /wasi:cli\/run/,
    make: async (version) => release(version, (await reactor(version, {})).component),
  },
  {
    rule: "a request for more memory than the policy grants",
    code: "stage/memory-exceeds-grant",
    names: /raise memory in its \[\[grant\]\]/,
    make: (version) => steady(version, { memory: "64MiB" }),
  },
  {
    rule: "a manifest that is not TOML",
    code: "manifest/malformed",
    make: async (version) => release(version, (await steady(version)).component, { manifest: "name = [" }),
  },
  {
    rule: "a manifest with a key that does not exist",
    code: "manifest/unknown-key",
    names: /privileged/,
    make: async (version) =>
      release(version, (await steady(version)).component, {
        manifest: `privileged = true\n${manifestOf(version)}`,
      }),
  },
  {
    rule: "a manifest of another version",
    code: "manifest/mismatch",
    make: async (version) =>
      release(version, (await steady(version)).component, { manifest: manifestOf("9.9.9") }),
  },
];

for (const [index, { rule, code, names, make }] of REFUSALS.entries()) {
  test.serial(`${code}: ${rule}; 1.0.0 runs on`, async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const version = `1.${index + 1}.0`;
    await device.offer(await make(version));
    const event = await device.event("refused", version);
    t.like(event, { code, module: "acme/thermo" });
    if (names !== undefined) t.regex(event.message ?? "", names);
    t.false(device.events.all.some((each) => each.event === "trial" && each.version === version));
    await device.expectServing(t, "1.0.0");
    t.like(await device.untilState("the failure", ({ failed }) => failed !== null), {
      phase: "committed",
      failed: { version, code },
    });
  });
}

test.serial(
  "trial/limit: a component that asks for more linear memory than it was granted; 1.0.0 comes back",
  async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const text = `(component (core module $large (memory 100)) (core instance (instantiate $large)) ${RUN}
    (export "wasi:cli/run@0.2.4" (instance $exported)))`;
    await device.offer(release("2.0.0", await componentFromText(text)));
    const event = await device.event("rolled-back", "2.0.0");
    t.like(event, { code: "trial/limit", to: "1.0.0" });
    t.regex(event.message ?? "", /limit\/memory/);
    await device.expectServing(t, "1.0.0");
  },
);

test.serial("after all of these a release that holds is installed", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  await device.install(await steady("3.0.0"));
  await device.expectServing(t, "3.0.0");
});
