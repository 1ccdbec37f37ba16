/** Commands from the broker: whatever stands in one, the answer is within its bounds and nothing breaks. */

import test from "ava";
import { answerCommand } from "../../agent/commands.ts";
import { MAX_COMMAND_BYTES, MAX_COMMAND_ID_LENGTH } from "../../agent/limits.ts";

const agent = { snapshot: () => ({}), restart: () => true };
const answer = (text: string) => JSON.parse(answerCommand(Buffer.from(text), agent));

/** A ping of this many bytes. */
function pingOf(bytes: number): string {
  const ping = '{"id":"1","command":"ping"}';
  return ping + " ".repeat(bytes - ping.length);
}

test("a command of the greatest size is answered, one byte more is refused unread", (t) => {
  t.like(answer(pingOf(MAX_COMMAND_BYTES)), { id: "1", ok: true });
  t.like(answer(pingOf(MAX_COMMAND_BYTES + 1)), { id: "", ok: false, code: "agent/command-malformed" });
});

test("an id comes back, cut to its bound", (t) => {
  const { id } = answer(JSON.stringify({ id: "x".repeat(MAX_COMMAND_ID_LENGTH + 1), command: "ping" }));
  t.is(id, "x".repeat(MAX_COMMAND_ID_LENGTH));
});

const brackets = "[".repeat(MAX_COMMAND_BYTES);
for (const text of ["", "null", "7", '"ping"', "[]", "{}", '{"command":"format"}', "\xff", brackets]) {
  test(`${JSON.stringify(text.slice(0, 30))} is no command`, (t) => {
    t.like(answer(text), { ok: false, code: "agent/command-malformed" });
  });
}
