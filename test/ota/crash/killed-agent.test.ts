import test from "ava";
import { explore, IS_LONG_RUN, SEED } from "./explore.ts";
import { CORE_SCENARIOS, killedBefore } from "./scenarios.ts";

/** Of the calls at which it is killed so many are taken together with one that is tried. */
const STRIDE = IS_LONG_RUN ? 1 : 8;

for (const scenario of CORE_SCENARIOS) {
  test(`an agent killed at any call of ${scenario.name}, and power lost at any of the next one's`, async (t) => {
    const failures: string[] = [];
    let explored = 0;
    let isOver = false;
    for (let calls = SEED % STRIDE; !isOver; calls += STRIDE) {
      let left = calls;
      const killed = killedBefore(scenario, `call ${calls}`, () => left-- === 0);
      const exploration = await explore(killed, { samples: 2, maxExhaustive: 8, isBrief: !IS_LONG_RUN });
      isOver = left >= 0;
      explored += exploration.explored;
      failures.push(...exploration.failures);
    }
    t.log(`${explored} crash states, seed ${SEED}`);
    t.deepEqual(failures.slice(0, 3), [], `${failures.length} failures`);
    t.true(explored > 1_000);
  });
}
