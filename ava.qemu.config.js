// The tests on emulated machines (npm run test:qemu): minutes each, so not among those of npm test.
export default {
  files: ["test/qemu/**/*.test.ts"],
  extensions: ["ts"],
  workerThreads: false,
  concurrency: 2,
  timeout: "60m",
};
