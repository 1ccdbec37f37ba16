/** A few seconds of the fuzzer with a fixed seed; `npm run fuzz` looks on with others. */

import test from "ava";
import { fuzz } from "./supervise.ts";

const SEED = 20_261_120;
const ROUNDS = 2_000;

test("generated and damaged components end in a result or in a typed error", async (t) => {
  const { rounds, ran, endless, findings } = await fuzz({
    seed: SEED,
    firstRound: 0,
    maxRounds: ROUNDS,
    untilMs: Number.POSITIVE_INFINITY,
  });
  t.deepEqual(findings, []);
  t.deepEqual(endless, [], "no core code of this seed runs for ever");
  t.is(rounds, ROUNDS);
  t.true(ran > rounds / 10, "enough of the components are good enough to run");
});
