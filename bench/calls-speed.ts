/** Nanoseconds per call of each host, in interleaved rounds: what disturbs the machine disturbs them alike. */
import type { Calls } from "./hosts.ts";

const ROUNDS = 31;
/** Long enough that the clock does not matter, short enough that a disturbance hits one round. */
const SLICE_MS = 8;
/** Calls before the first round, for the engine to settle on the code that it makes. */
const WARM_UP_CALLS = 50_000;

const TEXT = "sixteen letters!";
const VALUES = Float64Array.from({ length: 256 }, (_, index) => Math.sin(index));

/** The cases: a loop of calls that the engine can't leave out, and the answer that every host has to give. */
const CASES = {
  add: {
    run: (calls: Calls, count: number): unknown => {
      let sum = 0;
      for (let index = 0; index < count; index++) sum = calls.add(sum, index);
      return sum;
    },
    answer: (calls: Calls): unknown => calls.add(0xffff_fffe, 1),
    expected: 0xffff_ffff,
  },
  echo: {
    run: (calls: Calls, count: number): unknown => {
      let length = 0;
      for (let index = 0; index < count; index++) length += calls.echo(TEXT).length;
      return length;
    },
    answer: (calls: Calls): unknown => calls.echo(TEXT),
    expected: TEXT,
  },
  stats: {
    run: (calls: Calls, count: number): unknown => {
      let sum = 0;
      for (let index = 0; index < count; index++) sum += calls.stats(VALUES);
      return sum;
    },
    answer: (calls: Calls): unknown => calls.stats(Float64Array.of(1, 2, 6)),
    expected: 3,
  },
  measure: {
    run: (calls: Calls, count: number): unknown => {
      let sum = 0;
      for (let index = 0; index < count; index++) sum += calls.measure(index);
      return sum;
    },
    answer: (calls: Calls): unknown => calls.measure(3),
    expected: 3.5,
  },
} as const;

export type CaseName = keyof typeof CASES;

/** Nanoseconds per call, the median of the rounds, by case and host. */
export type CallTimes<Host extends string> = Readonly<Record<CaseName, Readonly<Record<Host, number>>>>;

/** Times every case on every host; throws if a host answers wrongly. */
export function timeCalls<Host extends string>(hosts: Readonly<Record<Host, Calls>>): CallTimes<Host> {
  const names = Object.keys(CASES) as CaseName[];
  const timed = names.map((name) => [name, timeCase(name, hosts)] as const);
  return Object.fromEntries(timed) as CallTimes<Host>;
}

function timeCase<Host extends string>(
  name: CaseName,
  hosts: Readonly<Record<Host, Calls>>,
): Readonly<Record<Host, number>> {
  const { run } = CASES[name];
  const timed = (Object.keys(hosts) as Host[]).map((host) => {
    requireRightAnswer(name, host, hosts[host]);
    run(hosts[host], WARM_UP_CALLS);
    return { host, calls: hosts[host], count: callsPerSlice(run, hosts[host]), samples: [] as number[] };
  });
  for (let round = 0; round < ROUNDS; round++) {
    for (const { calls, count, samples } of timed) samples.push(nanosecondsPerCall(run, calls, count));
  }
  return Object.fromEntries(timed.map(({ host, samples }) => [host, median(samples)])) as Record<
    Host,
    number
  >;
}

function requireRightAnswer(name: CaseName, host: string, calls: Calls): void {
  const { answer, expected } = CASES[name];
  const found = JSON.stringify(answer(calls));
  if (found !== JSON.stringify(expected)) throw new Error(`${host} answers ${name} with ${found}`);
}

function callsPerSlice(run: (calls: Calls, count: number) => unknown, calls: Calls): number {
  const perCallNs = nanosecondsPerCall(run, calls, WARM_UP_CALLS);
  return Math.max(1, Math.round((SLICE_MS * 1e6) / perCallNs));
}

function nanosecondsPerCall(
  run: (calls: Calls, count: number) => unknown,
  calls: Calls,
  count: number,
): number {
  const start = performance.now();
  run(calls, count);
  return ((performance.now() - start) * 1e6) / count;
}

/** The middle value. */
export function median(samples: readonly number[]): number {
  return samples.toSorted((left, right) => left - right)[Math.floor(samples.length / 2)] ?? Number.NaN;
}
