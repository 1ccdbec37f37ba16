// The tests on emulated machines (npm run test:qemu): minutes each, so not among those of npm test.

const LONGEST = "power-cut.test.ts";
const rank = (file) => (file.endsWith(LONGEST) ? 0 : 1);

export default {
  files: ["test/qemu/**/*.test.ts"],
  extensions: ["ts"],
  workerThreads: false,
  concurrency: 2,
  timeout: "60m",
  // The others run beside it.
  sortTestFiles: (one, other) => rank(one) - rank(other) || one.localeCompare(other),
};
