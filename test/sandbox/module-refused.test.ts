/** What is refused when a module starts, each with its code, before a line of it runs. */

import test from "ava";
import { commandText, componentFile, fileOfBytes, reactorText } from "../support/modules.ts";
import { type StartOptions, startRecorded } from "../support/run-module.ts";

const preambleOfModule = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const preambleOfComponent = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);

const refused: Readonly<
  Record<string, { code: string; names: RegExp; options: () => Promise<StartOptions> }>
> = {
  "a file that is not there": {
    code: "sandbox/component-unreadable",
    names: /no-such-file/,
    options: async () => ({ componentPath: "/no-such-file.wasm" }),
  },
  "an empty file": {
    code: "sandbox/component-refused",
    names: /component\//,
    options: async () => ({ componentPath: await fileOfBytes(new Uint8Array(0)) }),
  },
  "random bytes": {
    code: "sandbox/component-refused",
    names: /component\/not-a-component/,
    options: async () => ({
      componentPath: await fileOfBytes(Buffer.from("this is no component, whatever it says")),
    }),
  },
  "a core module": {
    code: "sandbox/component-refused",
    names: /component\/not-a-component/,
    options: async () => ({ componentPath: await fileOfBytes(preambleOfModule) }),
  },
  "a section that claims four billion bytes": {
    code: "sandbox/component-refused",
    names: /component\/malformed/,
    options: async () => ({
      componentPath: await fileOfBytes(
        Uint8Array.of(...preambleOfComponent, ...[0x07, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00]),
      ),
    }),
  },
  "a component without anything": {
    code: "sandbox/export-missing",
    names: /wasi:cli\/run/,
    options: async () => ({ componentPath: await fileOfBytes(preambleOfComponent) }),
  },
  "a reactor that should be a command": {
    code: "sandbox/export-missing",
    names: /wasi:cli\/run/,
    options: async () => ({ componentPath: await componentFile(reactorText({})) }),
  },
  "a command that should be a reactor": {
    code: "sandbox/export-missing",
    names: /skerry:module\/lifecycle/,
    options: async () => ({
      componentPath: await componentFile(commandText("(i32.const 0)")),
      world: "reactor" as const,
    }),
  },
  "a sensor without a grant": {
    code: "sandbox/import-not-granted",
    names: /skerry:device\/sensor@0\.1\.0/,
    options: async () => ({
      componentPath: await componentFile(commandText("(i32.const 0)")),
      grants: { sensors: [], serial: [], publish: ["telemetry/#"] },
    }),
  },
  sockets: {
    code: "sandbox/import-not-granted",
    names: /wasi:sockets\/network@0\.2\.0/,
    options: async () => ({
      componentPath: await componentFile(
        commandText("(i32.const 0)").replace(
          "(component",
          `(component (import "wasi:sockets/network@0.2.0" (instance (export "network" (type (sub resource)))))`,
        ),
      ),
    }),
  },
};

for (const [what, { code, names, options }] of Object.entries(refused)) {
  test(`refused: ${what}`, async (t) => {
    const { module, record } = startRecorded(await options());
    const end = await module.done;
    t.is(end.kind === "failed" ? end.code : JSON.stringify(end), code);
    t.regex(end.kind === "failed" ? end.message : "", names);
    t.deepEqual(
      record.events.map(({ event }) => event),
      ["ended"],
    );
  });
}
