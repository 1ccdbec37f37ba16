import test from "ava";
import { raiseTrap } from "../../sandbox/component/traps.ts";
import { MAX_FRAME_NAME_LENGTH } from "../../sandbox/limits.ts";
import { wasmStack } from "../../sandbox/wasm-stack.ts";

test("of a stack the guest's frames are left, named and unnamed ones", (t) => {
  const stack = `RuntimeError: unreachable
    at core.main (wasm://wasm/core-00038dae:wasm-function[36]:0x2062)
    at wasm://wasm/00021982:wasm-function[118]:0x5c55
    at callCore (file:///somewhere/canon-lift.ts:122:28)`;
  t.is(wasmStack(stack), "core.main (wasm-function[36]:0x2062)\nwasm-function[118]:0x5c55");
});

test("a name can't do anything to a terminal, nor be a line of its own", (t) => {
  const name = `a\u001b[31m\u202e b${"x".repeat(1000)}`;
  const frame = wasmStack(`    at ${name} (wasm://wasm/a:wasm-function[1]:0x1)`);
  t.true(frame.startsWith("a?[31m??bxxx"));
  t.true(frame.length < MAX_FRAME_NAME_LENGTH + 40);
});

test("a recursion is one line that counts its frames", (t) => {
  const deeper = "    at m.deeper (wasm://wasm/a:wasm-function[1]:0x9)";
  const stack = [deeper, deeper, deeper, "    at m.main (wasm://wasm/a:wasm-function[0]:0x5)", deeper].join(
    "\n",
  );
  t.is(
    wasmStack(stack),
    "m.deeper (wasm-function[1]:0x9), 3 times\nm.main (wasm-function[0]:0x5)\nm.deeper (wasm-function[1]:0x9)",
  );
});

test("a trap that the loader raised for the guest is told by the guest's frames", (t) => {
  let stack = "";
  try {
    raiseTrap("a bad pointer");
  } catch (error) {
    stack = error instanceof Error ? (error.stack ?? "") : "";
  }
  t.regex(stack, /wasm-function/);
  t.is(wasmStack(stack), "");
});

test("an error of the host alone has no such stack", (t) => {
  t.is(wasmStack(new Error("x").stack ?? ""), "");
});
