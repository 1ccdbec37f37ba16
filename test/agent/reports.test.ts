/** What the device reports, however much there is to report. */

import test from "ava";
import { MAX_MESSAGE_LENGTH, METADATA_REFUSALS_BURST } from "../../agent/limits.ts";
import { type AgentEvent, Reports } from "../../agent/reports.ts";
import { OtaError } from "../../ota/errors.ts";
import { brokerAt, makeLink } from "./link-support.ts";

function makeReports(t: Parameters<typeof makeLink>[0]) {
  const events: AgentEvent[] = [];
  const lines: string[] = [];
  const reports = new Reports({
    link: makeLink(t, brokerAt(1)).link,
    deviceId: "pi-01",
    log: (_level, text) => lines.push(text),
    onEvent: (event) => events.push(event),
    snapshot: () => ({}),
  });
  return { reports, events, lines };
}

test("metadata that is forged without end makes a bounded number of events, and no lines in the log", (t) => {
  const { reports, events, lines } = makeReports(t);
  const forged = METADATA_REFUSALS_BURST * 3;
  for (let index = 0; index < forged; index += 1) {
    reports.refusedMetadata(new OtaError("trust/signature-invalid", `forged ${index}`));
  }
  // A few more may come back while the loop runs.
  t.true(events.length >= METADATA_REFUSALS_BURST && events.length < forged);
  t.deepEqual(lines, []);
});

test("a module's limit is an event of its own, with its code and a message within bounds", (t) => {
  const { reports, events } = makeReports(t);
  reports.limited("acme/thermo", "1.0.0", "limit/log-rate", "x".repeat(MAX_MESSAGE_LENGTH * 2));
  t.is(events.length, 1);
  t.like(events[0], { event: "limited", module: "acme/thermo", version: "1.0.0", code: "limit/log-rate" });
  t.true((events[0]?.message?.length ?? Number.POSITIVE_INFINITY) <= MAX_MESSAGE_LENGTH);
});
