import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { crc16, frame, readRequest, registersOf } from "../../examples/modbus-js/rtu.js";
import { parseManifest } from "../../ota/manifest.ts";
import { compileComponent, describeComponent, instantiateComponent } from "../../sandbox/component/index.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");
const MAX_EXAMPLE_BYTES = 2_000_000;

type Example = {
  readonly component: string;
  readonly manifest: string;
  /** What it imports besides WASI. */
  readonly imports: readonly string[];
  readonly exports: readonly RegExp[];
};

const THERMO_IMPORTS = ["skerry:module/messaging@0.1.0", "skerry:device/sensor@0.1.0"];
const RUN = [/^wasi:cli\/run@0\.2\.\d+$/];
const examples: readonly Example[] = [
  {
    component: "alarm-rust/alarm-1.0.0.wasm",
    manifest: "alarm-rust/module.toml",
    imports: THERMO_IMPORTS,
    exports: RUN,
  },
  {
    component: "thermo-c/thermo-1.0.0.wasm",
    manifest: "thermo-c/module.toml",
    imports: THERMO_IMPORTS,
    exports: RUN,
  },
  {
    component: "thermo-c/thermo-1.1.0.wasm",
    manifest: "thermo-c/module-1.1.0.toml",
    imports: THERMO_IMPORTS,
    exports: RUN,
  },
  {
    component: "thermo-c/thermo-1.2.0.wasm",
    manifest: "thermo-c/module-1.2.0.toml",
    imports: THERMO_IMPORTS,
    exports: RUN,
  },
  {
    component: "greedy-c/greedy-1.0.0.wasm",
    manifest: "greedy-c/module.toml",
    imports: ["skerry:device/sensor@0.1.0", "skerry:device/serial@0.1.0"],
    exports: RUN,
  },
  {
    component: "heater-c/heater-1.0.0.wasm",
    manifest: "heater-c/module.toml",
    imports: ["skerry:module/messaging@0.1.0"],
    exports: [/^skerry:module\/lifecycle@0\.1\.0$/, /^skerry:module\/message-handler@0\.1\.0$/],
  },
  {
    component: "modbus-js/modbus-1.0.0.wasm",
    manifest: "modbus-js/module.toml",
    imports: ["skerry:module/messaging@0.1.0", "skerry:device/serial@0.1.0"],
    exports: [/^skerry:module\/lifecycle@0\.1\.0$/, /^skerry:module\/timer-handler@0\.1\.0$/],
  },
];

test("every prebuilt component is in this list", (t) => {
  const files = readdirSync(EXAMPLES, { recursive: true, encoding: "utf8" });
  const components = files.filter((file) => file.endsWith(".wasm"));
  t.deepEqual(components.toSorted(), examples.map((example) => example.component).toSorted());
});

for (const { component, manifest, imports, exports } of examples) {
  test(`${component} imports what its manifest asks for and exports its world`, async (t) => {
    const bytes = readFileSync(join(EXAMPLES, component));
    t.true(bytes.length < MAX_EXAMPLE_BYTES);
    const description = describeComponent(compileComponent(bytes));
    const imported = description.imports.map((one) => one.name);
    t.deepEqual(
      imported.filter((name) => !name.startsWith("wasi:")),
      imports,
    );
    for (const name of exports)
      t.true(
        description.exports.some((one) => name.test(one.name)),
        `${name}`,
      );

    const { request, version, world } = await parseManifest(readFileSync(join(EXAMPLES, manifest)), manifest);
    t.true(component.endsWith(`-${version}.wasm`));
    t.is(world, exports === RUN ? "command" : "reactor");
    t.is(request.sensor.length > 0, imports.includes("skerry:device/sensor@0.1.0"));
    t.is(request.serial.length > 0, imports.includes("skerry:device/serial@0.1.0"));
    t.is(request.publish.length > 0, imports.includes("skerry:module/messaging@0.1.0"));
  });
}

test("Modbus over Serial Line §2.5.1.2: a request carries its CRC, low byte first", (t) => {
  t.deepEqual(readRequest(1, 0, 2), Uint8Array.of(1, 3, 0, 0, 0, 2, 0xc4, 0x0b));
  t.is(crc16(Buffer.from("123456789")), 0x4b37);
});

const responses: readonly (readonly [what: string, hex: string, message: RegExp])[] = [
  ["a flipped bit", "010304ff9c01900bf4", /wrong CRC/],
  ["another unit", "0203020190fdb8", /unit 2 answered/],
  ["an exception", "018302c0f1", /Modbus exception 2/],
];
for (const [what, hex, message] of responses) {
  test(`Modbus: a response with ${what} is refused`, (t) => {
    t.throws(() => registersOf(Buffer.from(hex, "hex"), 1, 2), { message });
  });
}

/** The poller's component in the real loader, on a port that answers from `answers`. */
function startPoller(answers: readonly Uint8Array[]) {
  const published: string[] = [];
  const written: Uint8Array[] = [];
  let pending = new Uint8Array(0);
  class Port {
    read(maxBytes: number): Uint8Array {
      const taken = pending.slice(0, Math.min(maxBytes, 4)); // in pieces, as a real line has it
      pending = pending.slice(taken.length);
      return taken;
    }
    write(data: Uint8Array): number {
      pending = Uint8Array.from(answers[written.length] ?? []);
      written.push(Uint8Array.from(data));
      return data.length;
    }
  }
  const component = compileComponent(readFileSync(join(EXAMPLES, "modbus-js/modbus-1.0.0.wasm")));
  const { exports } = instantiateComponent(component, {
    "skerry:device/serial@0.1.0": { Port, open: () => new Port() },
    "skerry:module/messaging@0.1.0": {
      publish: (topic: string, payload: Uint8Array) => published.push(`${topic} ${Buffer.from(payload)}`),
    },
  });
  return { exports, published, written };
}

/** Calls a function of an exported interface; an error that it returns comes as "error: text". */
function call(exports: Readonly<Record<string, unknown>>, name: string, method: string): string {
  const instance = exports[name] as Readonly<Record<string, () => void>>;
  try {
    instance[method]?.();
    return "ok";
  } catch (error) {
    if (error instanceof Error && "payload" in error) return `error: ${String(error.payload)}`;
    throw error;
  }
}

test("the poller publishes what the meter answers and is healthy until three polls fail in a row", (t) => {
  const good = frame([1, 3, 4, 0xff, 0x9c, 0x01, 0x90]);
  const corrupt = Uint8Array.from(good.with(3, 0));
  const { exports, published, written } = startPoller([good, corrupt, new Uint8Array(0), corrupt, good]);
  const poll = () => call(exports, "skerry:module/timer-handler@0.1.0", "onTimer");
  const health = () => call(exports, "skerry:module/lifecycle@0.1.0", "health");

  t.is(call(exports, "skerry:module/lifecycle@0.1.0", "init"), "ok");
  t.regex(health(), /^error: .*not polled yet/);
  t.is(poll(), "ok");
  t.deepEqual(published, ['telemetry/room {"temperature":-10,"humidity":40}']);
  t.deepEqual(written, [readRequest(1, 0, 2)]);
  t.is(health(), "ok");

  t.is(poll(), "error: wrong CRC");
  t.is(poll(), "error: no answer from unit 1");
  t.is(health(), "ok");
  t.is(poll(), "error: wrong CRC");
  t.regex(health(), /^error: unit 1 on modbus0: wrong CRC \(3 polls failed in a row\)/);
  t.is(poll(), "ok");
  t.is(health(), "ok");
  t.is(published.length, 2);
});
