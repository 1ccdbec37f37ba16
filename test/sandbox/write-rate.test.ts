/** Reactors that write more to their files than they may, in real workers: slowed within a call's deadline, ended by that limit's name beyond. */

import test from "ava";
import { fileReactorText } from "../support/file-modules.ts";
import { temporaryFolder } from "../support/folders.ts";
import { componentFile } from "../support/modules.ts";
import { startRecorded } from "../support/run-module.ts";

/** The same 48 KiB over and over, 4.2 MiB of them: more than the burst. */
const WRITE_TOO_MUCH = `(local $file i32) (local $left i32)
  (local.set $file (call $open (i32.const 0)))
  (local.set $left (i32.const 90))
  (loop $again
    (drop (call $write (local.get $file) (i32.const 49152) (i64.const 0)))
    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
  (call $close (local.get $file)) (i32.const 0)`;

for (const call of ["init", "onTimer"] as const) {
  test(`limit/write-rate: a reactor whose ${call} waits for it until its deadline is ended by that name`, async (t) => {
    const folder = await temporaryFolder(t);
    const { module, record } = startRecorded({
      componentPath: await componentFile(fileReactorText({ [call]: WRITE_TOO_MUCH })),
      world: "reactor",
      intervalMs: 10,
      folders: [{ hostPath: folder, guestPath: "/data", quota: { maxBytes: 1024 ** 2, maxEntries: 10 } }],
      grants: { sensors: ["ambient"], serial: [], publish: ["telemetry/#"], storageBytes: 1024 ** 2 },
      limits: { callDeadlineMs: 5_000, startDeadlineMs: 5_000, writtenBytesPerSecond: 1 },
    });
    const end = await module.done;
    t.like(end, { kind: "failed", code: "limit/write-rate" });
    t.regex(end.kind === "failed" ? end.message : "", /5000 ms, most of it waiting to write/);
    t.deepEqual(record.of("limited"), [{ event: "limited", code: "limit/write-rate" }]);
  });
}
