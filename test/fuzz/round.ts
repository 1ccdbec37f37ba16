/**
 * One round: a generated component as it is, or a damaged one, through decoding, validation, instantiation and calls.
 *
 * A round that returns is fine; whatever it throws is a finding. The bytes depend on the seed and the round alone.
 */

import { ComponentError, Trap } from "../../sandbox/component/errors.ts";
import { ImportLookup } from "../../sandbox/component/host-imports.ts";
import {
  type Component,
  checkCoreModules,
  compileComponent,
  type Instance,
  instantiateComponent,
} from "../../sandbox/component/index.ts";
import { instantiate, loadValidatedComponent } from "../../sandbox/component/loader.ts";
import { typeOfComponent } from "../../sandbox/component/validate.ts";
import { componentFromText } from "../support/wat.ts";
import { generateComponent } from "./generate.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import { ValueTooLarge } from "./values.ts";
import { HostFailure, World } from "./world.ts";

/** The first of these rounds leaves the generated component whole, the others damage it. */
const ROUNDS_PER_COMPONENT = 15;
const LIMITS = { maxMemoryBytes: 256 * 2 ** 20, maxTableElements: 10_000 };

/** What a round did last; a hang or a crash is reported with it. */
export type Phase = "assemble" | "decode" | "instantiate" | "call";

/** What came of a round that found nothing. */
export type RoundResult = "refused" | "ran";

export interface RoundInput {
  readonly bytes: Uint8Array;
  readonly isDamaged: boolean;
}

/** Whether the component of a round is damaged, or as it was generated. */
export function isDamaged(round: number): boolean {
  return round % ROUNDS_PER_COMPONENT !== 0;
}

/** The bytes of a round. */
export async function roundInput(seed: number, round: number): Promise<RoundInput> {
  const generation = Math.floor(round / ROUNDS_PER_COMPONENT);
  const bytes = await generated(seed, generation);
  if (!isDamaged(round)) return { bytes, isDamaged: false };
  const other = await generated(seed, generation + 1);
  return { bytes: mutate(new Random(seed ^ 0x5eed, round), bytes, other), isDamaged: true };
}

const recent = new Map<string, Promise<Uint8Array>>();

/** The text of a seed's component number `generation`. */
export function generatedText(seed: number, generation: number): string {
  return generateComponent(new Random(seed, generation));
}

function generated(seed: number, generation: number): Promise<Uint8Array> {
  const key = `${seed} ${generation}`;
  const known = recent.get(key) ?? componentFromText(generatedText(seed, generation));
  recent.set(key, known);
  for (const old of recent.keys()) if (recent.size > 2) recent.delete(old);
  return known;
}

/**
 * Runs one round.
 *
 * @param entered told each phase before it starts
 * @throws what the loader must not do, as it was thrown
 */
export async function runRound(
  seed: number,
  round: number,
  entered: (phase: Phase) => void,
): Promise<RoundResult> {
  entered("assemble");
  const { bytes, isDamaged: mayFail } = await roundInput(seed, round);
  entered("decode");
  const component = loaded(bytes, mayFail);
  if (component === undefined) return "refused";
  const world = new World(typeOfComponent(component.definition), new Random(seed ^ 0xca11, round), {
    hostile: mayFail,
  });
  entered("instantiate");
  const instance = instantiated(() => {
    const imports = world.imports();
    // Every other time as a worker does it with what its agent has validated.
    if (round % 2 === 0) return instantiateComponent(component, imports, LIMITS);
    return instantiate(loadValidatedComponent(bytes), new ImportLookup(imports, undefined), LIMITS);
  }, mayFail);
  if (instance === undefined) return "refused";
  entered("call");
  let hasTrapped = false;
  world.callExports(instance, (name, run) => {
    // An instance that has trapped can't be entered again; a damaged one has to say so each time.
    hasTrapped = !called(run, mayFail || hasTrapped || name.startsWith("wild")) || hasTrapped;
  });
  return "ran";
}

/** `undefined` for a damaged component that was refused. */
function loaded(bytes: Uint8Array, mayRefuse: boolean): Component | undefined {
  try {
    const component = compileComponent(bytes);
    checkCoreModules(component);
    return component;
  } catch (error) {
    if (!(error instanceof ComponentError)) throw error;
    // A bound on the work of validation may also meet a component that is whole.
    if (mayRefuse || error.code === "component/limit-exceeded") return undefined;
    throw error;
  }
}

function instantiated(make: () => Instance, mayRefuse: boolean): Instance | undefined {
  try {
    return make();
  } catch (error) {
    const isTyped = error instanceof ComponentError || error instanceof Trap || isStubs(error);
    if (mayRefuse && isTyped) return undefined;
    throw error;
  }
}

/** False if the call ended in a typed error, which it may. */
function called(run: () => void, mayTrap: boolean): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (mayTrap && (error instanceof Trap || isStubs(error) || isWrongValue(error))) return false;
    throw error;
  }
}

/** Thrown by a stub: it comes out of the call as it is. */
function isStubs(error: unknown): boolean {
  return error instanceof HostFailure || error instanceof ValueTooLarge;
}

/** The loader's own refusal of a value, which the engine's TypeErrors must not be taken for. */
function isWrongValue(error: unknown): boolean {
  const own =
    /^expected an? |^no such case|^expected a resource|was dropped or given away|only borrowed|is borrowed by|has no constructor|returned a wrong value: (expected|no such|the resource)/;
  return error instanceof TypeError && own.test(error.message);
}
