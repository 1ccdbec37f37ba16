/** Limits on linear memories and tables that the engine enforces. */

import test from "ava";
import { compileComponent, instantiateComponent } from "../../../sandbox/component/index.ts";
import { componentFromText } from "../../support/wat.ts";
import { exported } from "./guests.ts";

const PAGE_BYTES = 65_536;

/** One component with a module per memory type; `grow-N` grows the Nth by that many pages, -1 if it may not. */
function memories(...types: string[]): string {
  const modules = types.map(
    (type, index) => `
    (core module $M${index} (memory ${type})
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
    (core instance $m${index} (instantiate $M${index}))
    (func (export "grow-${index}") (param "pages" u32) (result s32) (canon lift (core func $m${index} "grow")))`,
  );
  return `(component ${modules.join("\n")})`;
}

async function instantiate(text: string, options: { maxMemoryBytes?: number; maxTableElements?: number }) {
  return instantiateComponent(compileComponent(await componentFromText(text)), {}, options);
}

const limitExceeded = { name: "ComponentError", code: "component/limit-exceeded" };

test("a memory grows up to the limit and no further", async (t) => {
  const instance = await instantiate(memories("1"), { maxMemoryBytes: 4 * PAGE_BYTES });
  t.is(exported(instance, "grow-0")(3), 1);
  t.is(exported(instance, "grow-0")(1), -1);
});

test("a part of a page is no page", async (t) => {
  const instance = await instantiate(memories("1"), { maxMemoryBytes: 3 * PAGE_BYTES - 1 });
  t.is(exported(instance, "grow-0")(2), -1);
  t.is(exported(instance, "grow-0")(1), 1);
});

test("a module's own, lower maximum stays", async (t) => {
  const instance = await instantiate(memories("1 2"), { maxMemoryBytes: 100 * PAGE_BYTES });
  t.is(exported(instance, "grow-0")(2), -1);
  t.is(exported(instance, "grow-0")(1), 1);
});

test("a minimum above the limit is refused", async (t) => {
  await t.throwsAsync(instantiate(memories("5"), { maxMemoryBytes: 4 * PAGE_BYTES }), limitExceeded);
  await t.throwsAsync(instantiate(memories("2", "3"), { maxMemoryBytes: 4 * PAGE_BYTES }), limitExceeded);
});

test("memories together stay under the limit; what a small one can't use goes to the others", async (t) => {
  const instance = await instantiate(memories("1", "1 2", "1"), { maxMemoryBytes: 10 * PAGE_BYTES });
  const grow = (index: number, pages: number) => exported(instance, `grow-${index}`)(pages);
  t.is(grow(1, 1), 1);
  t.is(grow(0, 4), -1);
  t.is(grow(0, 3), 1);
  t.is(grow(2, 3), 1);
  t.is(grow(2, 1), -1);
});

test("a module that is instantiated again counts again", async (t) => {
  const text = `(component
    (core module $M (memory 2))
    (core instance (instantiate $M))
    (core instance (instantiate $M)))`;
  await t.throwsAsync(instantiate(text, { maxMemoryBytes: 3 * PAGE_BYTES }), limitExceeded);
});

test("an imported memory counts once, with the module that defines it", async (t) => {
  const text = `(component
    (core module $Memory (memory (export "memory") 2))
    (core instance $memory (instantiate $Memory))
    (core module $M (import "" "memory" (memory 2))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
    (core instance $m (instantiate $M (with "" (instance (export "memory" (memory $memory "memory"))))))
    (func (export "grow") (param "pages" u32) (result s32) (canon lift (core func $m "grow"))))`;
  const instance = await instantiate(text, { maxMemoryBytes: 3 * PAGE_BYTES });
  t.is(exported(instance, "grow")(2), -1);
  t.is(exported(instance, "grow")(1), 2);
});

test("the same component runs under other limits afterwards", async (t) => {
  const component = compileComponent(await componentFromText(memories("1")));
  for (const pages of [2, 5, 3]) {
    const instance = instantiateComponent(component, {}, { maxMemoryBytes: pages * PAGE_BYTES });
    t.is(exported(instance, "grow-0")(pages), -1);
    t.is(exported(instance, "grow-0")(pages - 1), 1);
  }
  t.is(exported(instantiateComponent(component, {}), "grow-0")(10), 1);
});

test("a table grows up to the limit and no further, with or without an initial value", async (t) => {
  const text = `(component
    (core module $M
      (table $plain 1 funcref)
      (table $filled 1 funcref (ref.func $f))
      (func $f)
      (elem declare func $f)
      (func (export "plain") (param i32) (result i32) (table.grow $plain (ref.null func) (local.get 0)))
      (func (export "filled") (param i32) (result i32) (table.grow $filled (ref.func $f) (local.get 0))))
    (core instance $m (instantiate $M))
    (func (export "plain") (param "n" u32) (result s32) (canon lift (core func $m "plain")))
    (func (export "filled") (param "n" u32) (result s32) (canon lift (core func $m "filled"))))`;
  const instance = await instantiate(text, { maxTableElements: 400 });
  for (const table of ["plain", "filled"]) {
    t.is(exported(instance, table)(200), -1);
    t.is(exported(instance, table)(199), 1);
  }
  await t.throwsAsync(instantiate(text, { maxTableElements: 1 }), limitExceeded);
});
