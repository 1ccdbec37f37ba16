import test from "ava";
import { explore, SEED } from "./explore.ts";
import { SCENARIOS } from "./scenarios.ts";

for (const scenario of SCENARIOS) {
  test(`power lost at any change of ${scenario.name}, whatever of the page cache reached the disk`, async (t) => {
    const { cuts, explored, distinct, failures } = await explore(scenario);
    t.log(`${explored} crash states (${distinct} different) at ${cuts} cuts, seed ${SEED}`);
    t.deepEqual(failures.slice(0, 3), [], `${failures.length} failures`);
    t.true(explored > 1_000);
  });
}
