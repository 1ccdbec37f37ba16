import test from "ava";
import fc from "fast-check";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../ota/units.ts";

test("sizes are whole numbers of binary units", (t) => {
  t.is(parseSize("0B"), 0);
  t.is(parseSize("512KiB"), 524_288);
  t.is(parseSize("4MiB"), 4_194_304);
  t.is(parseSize("2GiB"), 2_147_483_648);
});

test("durations are whole numbers of a unit", (t) => {
  t.is(parseDuration("250ms"), 250);
  t.is(parseDuration("30s"), 30_000);
  t.is(parseDuration("5m"), 300_000);
  t.is(parseDuration("2h"), 7_200_000);
  t.is(parseDuration("365d"), 31_536_000_000);
});

for (const text of [
  "",
  "4",
  "MiB",
  "4 MiB",
  "4mib",
  "-1s",
  "1.5s",
  "1e3s",
  "4MB",
  "٣s",
  "4KiBs",
  "9007199254740993GiB",
]) {
  test(`"${text}" is neither a size nor a duration`, (t) => {
    t.is(parseSize(text), undefined);
    t.is(parseDuration(text), undefined);
  });
}

test("what is formatted in whole units reads back the same", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999 }), fc.constantFrom(1, 1000, 60_000), (count, unit) => {
      const written = formatDuration(count * unit);
      const read = parseDuration(written);
      t.true(read === undefined ? written.includes(".") : Math.abs(read - count * unit) <= read * 0.05);
    }),
  );
  t.is(formatSize(4 * 1024 ** 2), "4MiB");
  t.is(formatSize(1536), "1.5KiB");
  t.is(formatSize(0), "0B");
});
