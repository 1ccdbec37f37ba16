// Each test file runs in a child process of its own: the tests start workers, brokers and serial ports themselves.
export default {
  files: ["test/**/*.test.ts"],
  extensions: { ts: "module" },
  workerThreads: false,
  concurrency: 2,
  timeout: "2m",
};
