/**
 * `npm run bench -- <name> [--json]`: figures of the built agent, measured side by side in one run. Never part of the tests.
 * Exits 1 if a goal does not hold, 2 on wrong usage.
 */
import { type Figure, report } from "./report.ts";

interface Benchmark {
  readonly about: string;
  readonly run: (note: (line: string) => void) => Promise<Figure[]>;
}

const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  footprint: async () => ({
    about: "anonymous memory of the connected agent, with the C example running",
    run: (await import("./footprint.ts")).measureFootprint,
  }),
  install: async () => ({
    about: "anonymous memory while a 16 MiB payload is installed through Mosquitto",
    run: (await import("./install.ts")).measureInstall,
  }),
  ota: async () => ({
    about: "what an update costs the line and the flash, and the download's speed",
    run: (await import("./ota.ts")).measureOta,
  }),
  sandbox: async () => ({
    about: "the component loader's speed, size and memory, beside jco's glue and a host by hand",
    run: (await import("./sandbox.ts")).measureSandbox,
  }),
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(argv: readonly string[]): Promise<number> {
  const json = argv.includes("--json");
  const [name, ...others] = argv.filter((argument) => argument !== "--json");
  const load = name === undefined ? undefined : BENCHMARKS[name];
  if (load === undefined || others.length > 0) {
    process.stderr.write("usage: npm run bench -- <name> [--json]\n\n");
    for (const [each, loadEach] of Object.entries(BENCHMARKS)) {
      process.stderr.write(`  ${each.padEnd(10)} ${(await loadEach()).about}\n`);
    }
    return 2;
  }
  const benchmark = await load();
  const figures = await benchmark.run((line) => {
    if (!json) process.stderr.write(`${line}\n`);
  });
  return report(figures, json);
}
