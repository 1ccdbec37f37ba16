/**
 * Holds the loader's verdicts against another validator's: wasm-tools, as jco carries it.
 *
 * Where the two disagree is worth a look, and no failure: each has limits and features of its own.
 */

import { ComponentError } from "../../sandbox/component/errors.ts";
import { checkCoreModules, compileComponent } from "../../sandbox/component/index.ts";
import { freshWasmTools, type WasmTools } from "../support/wat.ts";
import { roundInput } from "./round.ts";

/** Their message says where in the bytes their validator stopped; without a place it is another tool's complaint. */
const THEIR_VERDICT = /\(at offset 0x[0-9a-f]+\)/;
const EXAMPLES_PER_KIND = 3;
/** What we refuse and know that they accept. */
const ONLY_OURS: readonly RegExp[] = [
  // They do not look at function bodies.
  /the engine refuses it/,
  // They take a component that is cut off inside a nested one for whole.
  /section 4 claims \d+ bytes where \d+ are left/,
];

/** Compares the verdicts on rounds of the seed until the time is over; the lines say where they differ. */
export async function compareVerdicts(seed: number, untilMs: number): Promise<string[]> {
  const kinds = new Map<string, number[]>();
  let round = 0;
  let agreed = 0;
  for (; performance.now() < untilMs; round += 1) {
    const { bytes } = await roundInput(seed, round);
    const [ours, theirs] = [ourRefusal(bytes), await theirRefusal(bytes)];
    if (ours === NO_OPINION || theirs === NO_OPINION) continue;
    if ((ours === undefined) === (theirs === undefined)) agreed += 1;
    else {
      const kind = ours === undefined ? `only they refuse: ${theirs}` : `only we refuse: ${ours}`;
      const general = kind.replace(/0x[0-9a-f]+|\d+/g, "N").replace(/"[^"]*"|`[^`]*`/g, "…");
      kinds.set(general, [...(kinds.get(general) ?? []), round]);
    }
  }
  const lines = Array.from(kinds, ([kind, rounds]) => {
    const examples = rounds.slice(0, EXAMPLES_PER_KIND).join(", ");
    return `  ${rounds.length} times (rounds ${examples}) ${kind}`;
  });
  return [
    `second opinion: ${agreed} verdicts of ${round} agree, ${lines.length} kinds of disagreement`,
    ...lines,
  ];
}

const NO_OPINION = "no opinion";

function ourRefusal(bytes: Uint8Array): string | undefined {
  try {
    checkCoreModules(compileComponent(bytes));
    return undefined;
  } catch (error) {
    if (!(error instanceof ComponentError)) throw error;
    const isOpinion = !["component/unsupported", "component/limit-exceeded"].includes(error.code);
    return isOpinion && !ONLY_OURS.some((one) => one.test(error.message)) ? error.message : NO_OPINION;
  }
}

let tools: WasmTools | undefined;

async function theirRefusal(bytes: Uint8Array): Promise<string | undefined> {
  try {
    tools ??= await freshWasmTools();
    tools.componentWit(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) tools = undefined;
    const message = String(error).replaceAll("\n", " ");
    return THEIR_VERDICT.test(message) ? message : NO_OPINION;
  }
}
