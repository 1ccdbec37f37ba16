/** Core modules and components that the host supplies for imports of the outermost component (Explainer.md "Type Checking"). */

import test from "ava";
import { ComponentError } from "../../../sandbox/component/errors.ts";
import { compileComponent, instantiateComponent } from "../../../sandbox/component/index.ts";
import { componentFromText } from "../../support/wat.ts";
import { exported, instantiateText } from "./guests.ts";

const importsModule = `(component
  (import "code" (core module $code (import "env" "base" (global i32)) (export "add" (func (param i32) (result i32)))))
  (core module $Env (global (export "base") i32 (i32.const 100)))
  (core instance $env (instantiate $Env))
  (core instance $i (instantiate $code (with "env" (instance $env))))
  (func (export "add") (param "a" u32) (result u32) (canon lift (core func $i "add"))))`;

const importsComponent = `(component
  (import "inner" (component $Inner (import "number" (func (result u32))) (export "get" (func (result u32)))))
  (import "number" (func $number (result u32)))
  (instance $i (instantiate $Inner (with "number" (func $number))))
  (export "get" (func $i "get")))`;

test("a core module is supplied by its bytes", async (t) => {
  const code = await componentFromText(`(module
    (import "env" "base" (global $base i32))
    (func (export "add") (param i32) (result i32) (i32.add (local.get 0) (global.get $base))))`);
  t.is(exported(await instantiateText(importsModule, { code }), "add")(5), 105);
});

test("a component is supplied compiled", async (t) => {
  const inner = compileComponent(
    await componentFromText(`(component (import "number" (func $n (result u32))) (export "get" (func $n)))`),
  );
  t.is(exported(await instantiateText(importsComponent, { inner, number: () => 8 }), "get")(), 8);
});

const misfits: readonly (readonly [string, string, () => Promise<unknown>])[] = [
  ["nothing", importsModule, async () => undefined],
  ["a function for a core module", importsModule, async () => () => 1],
  ["a core module of another type", importsModule, () => componentFromText("(module)")],
  ["a core module for a component", importsComponent, () => componentFromText("(module)")],
  [
    "a component that imports more",
    importsComponent,
    async () => compileComponent(await componentFromText(`(component (import "more" (func)))`)),
  ],
];

for (const [what, text, supply] of misfits) {
  test(`refuses ${what}`, async (t) => {
    const value = await supply();
    const error = await t.throwsAsync(instantiateText(text, { code: value, inner: value, number: () => 8 }), {
      instanceOf: ComponentError,
    });
    t.is(error?.code, "component/import-missing");
  });
}

test("memories of a supplied core module count towards the limit", async (t) => {
  const component = compileComponent(
    await componentFromText(`(component (import "code" (core module $m)) (core instance (instantiate $m)))`),
  );
  const code = await componentFromText("(module (memory 17))");
  const megabyte = 2 ** 20;
  t.notThrows(() => instantiateComponent(component, { code }, { maxMemoryBytes: 2 * megabyte }));
  const error = t.throws(() => instantiateComponent(component, { code }, { maxMemoryBytes: megabyte }));
  t.is(error instanceof ComponentError ? error.code : undefined, "component/limit-exceeded");
});
