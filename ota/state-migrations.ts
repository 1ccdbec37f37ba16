/**
 * What an older agent wrote, brought to today's format, schema by schema. The file on the disk stays as it is until the next write, which goes
 * to the other generation: an update of the agent that is cut short finds both.
 */

import { isObject } from "./release.ts";

type Data = Readonly<Record<string, unknown>>;

/** By the schema that they start from: each gives the next one. */
const MIGRATIONS: ReadonlyMap<unknown, (data: Data) => Data> = new Map([
  // Schema 2 counts the agent's unclean ends.
  [1, (data: Data): Data => ({ ...data, schema: 2, uncleanEnds: 0 })],
  // Schema 3 says in which boot of the machine the latest run began.
  [2, (data: Data): Data => ({ ...data, schema: 3, bootId: "" })],
]);

/** Stored data in the newest schema; what is none of ours comes back as it is, for the parser to refuse. */
export function migrateState(stored: unknown): unknown {
  const migrate = isObject(stored) ? MIGRATIONS.get(stored["schema"]) : undefined;
  return isObject(stored) && migrate !== undefined ? migrateState(migrate(stored)) : stored;
}
