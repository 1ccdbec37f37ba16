/** What the agent's side answers the calls of a module with. */

import type { Frame, HostReply } from "./channel.ts";
import type { Outcome, PublishErrorCode, SensorErrorCode, SerialErrorCode } from "./module-spec.ts";

export type Reply = Frame<HostReply>;

export const NO_PAYLOAD = new Uint8Array(0);
export const DONE: Reply = { head: { tag: "done" }, payload: NO_PAYLOAD };

/** An error code of the WIT interface. */
export function refusal(code: SensorErrorCode | SerialErrorCode | PublishErrorCode): Reply {
  return { head: { tag: "error", code }, payload: NO_PAYLOAD };
}

export function done(outcome: Outcome<void, SerialErrorCode | PublishErrorCode>): Reply {
  return outcome.tag === "ok" ? DONE : refusal(outcome.code);
}
