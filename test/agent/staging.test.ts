import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { MAX_STAGED_COMPONENT_BYTES } from "../../agent/limits.ts";
import { checkStaged } from "../../agent/staging.ts";

const MANIFEST = {
  name: "acme/large",
  version: "1.0.0",
  description: "",
  hardware: [],
  world: "command",
  request: { sensor: [], serial: [], publish: [], memoryBytes: 65_536, storageBytes: 0 },
  env: {},
  intervalMs: undefined,
  health: { windowMs: 1_000, require: ["alive"] },
} as const;
const POLICY = { sensors: new Map(), serialPorts: new Map(), grants: [] };

test("a component with more code than the agent holds in memory is refused before it is read", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "skerry-staging-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, "component.wasm");
  const codeBytes = MAX_STAGED_COMPONENT_BYTES;
  const core = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 10, ...leb128(codeBytes)];
  const component = [
    0x00,
    0x61,
    0x73,
    0x6d,
    0x0d,
    0x00,
    0x01,
    0x00,
    1,
    ...leb128(core.length + codeBytes),
    ...core,
  ];
  const file = await open(path, "w");
  await file.write(Uint8Array.from(component));
  // The code itself is a hole in the file.
  await file.truncate(component.length + codeBytes);
  await file.close();
  await t.throwsAsync(checkStaged(MANIFEST, path, POLICY), {
    code: "stage/component-invalid",
    message: /acme\/large@1\.0\.0: .*more than [0-9]+ bytes without its custom sections/,
  });
});

function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}
