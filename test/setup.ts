/**
 * Runs before the tests (npm's `pretest`): sees to the real parts that they use. Where it may (root on a Debian machine) it installs
 * what is missing through apt; elsewhere it says in a line which tests will be left out.
 */
import { installMissing } from "../qemu/debian-packages.ts";

const TOOLS = [
  { command: "mosquitto", package: "mosquitto", use: "the tests against a real MQTT broker" },
  {
    command: "mosquitto_sub",
    package: "mosquitto-clients",
    use: "the tests of what is done with a broker by hand",
  },
  { command: "socat", package: "socat", use: "the tests over a pseudo-terminal pair" },
  { command: "openssl", package: "openssl", use: "the tests over TLS" },
  {
    command: "mmdebstrap",
    package: "mmdebstrap",
    use: "the tests of the Debian package in a system of its own",
  },
] as const;

for (const tool of installMissing(TOOLS)) {
  console.log(
    `${tool.command} is not installed: ${tool.use} are left out (on Debian: apt-get install ${tool.package}).`,
  );
}
console.log("The tests on emulated ARM machines are left out here: npm run test:qemu runs them.");
