/** Rules about the network, as manifests, policies and the command line write them. */

import test from "ava";
import {
  coversRule,
  listenRuleProblem,
  networkRuleProblem,
  parseNetworkRule,
} from "../../devices/network-rules.ts";

const rules: Readonly<Record<string, object>> = {
  "api.example.org:443": { host: { kind: "name", name: "api.example.org" }, firstPort: 443, protocol: "tcp" },
  "API.Example.org:443/tcp": { host: { kind: "name", name: "api.example.org" }, lastPort: 443 },
  "*.example.org:8080-8090": {
    host: { kind: "subdomains", parent: "example.org" },
    firstPort: 8080,
    lastPort: 8090,
  },
  "10.0.0.5:502/udp": { host: { kind: "addresses", address: "10.0.0.5", prefixBits: 32 }, protocol: "udp" },
  "10.0.0.0/8:*": { host: { kind: "addresses", prefixBits: 8 }, firstPort: 0, lastPort: 65_535 },
  "[fd00::/8]:53/udp": { host: { kind: "addresses", family: "ipv6", address: "fd00::", prefixBits: 8 } },
  "[::1]:80": { host: { kind: "addresses", family: "ipv6", address: "::1", prefixBits: 128 } },
  "*:443": { host: { kind: "any" } },
  "localhost:1": { host: { kind: "name", name: "localhost" } },
};

for (const [text, expected] of Object.entries(rules)) {
  test(`${text} is a rule`, (t) => {
    t.like(parseNetworkRule(text), expected);
    t.is(networkRuleProblem(text), undefined);
  });
}

for (const text of [
  "",
  "api.example.org",
  ":443",
  "api.example.org:",
  "api.example.org:65536",
  "api.example.org:90-80",
  "api.example.org:443/sctp",
  "https://api.example.org:443",
  "user@api.example.org:443",
  "a..b:1",
  "-a.org:1",
  "*:*:*",
  "*.*.org:1",
  "a.*.org:1",
  "*.10.0.0.1:1",
  "10.0.0:1",
  "10.0.0.256:1",
  "010.0.0.1:1",
  "10.0.0.0/33:1",
  "10.0.0.0/:1",
  "10.0.0.0/-1:1",
  "10.0.0.0/0x8:1",
  "10.0.0.0/1.5:1",
  "10.0.0.0/8/9:1",
  "a.org/8:1",
  "fd00::1:80",
  "[fd00::1%eth0]:80",
  "[10.0.0.1]:80",
  "[fd00::/129]:80",
  `${"a".repeat(64)}.org:1`,
]) {
  test(`"${text}" is no rule`, (t) => {
    t.is(parseNetworkRule(text), undefined);
    t.regex(networkRuleProblem(text) ?? "", /must be HOST:PORT/);
  });
}

test("a module listens at addresses, not at names", (t) => {
  t.is(listenRuleProblem("*:8080"), undefined);
  t.is(listenRuleProblem("127.0.0.1:8080/udp"), undefined);
  t.regex(listenRuleProblem("example.org:8080") ?? "", /must be ADDRESS:PORT/);
});

const coverage: readonly [wide: string, narrow: string, covers: boolean][] = [
  ["a.org:443", "a.org:443", true],
  ["a.org:443", "A.org:443", true],
  ["a.org:443", "b.org:443", false],
  ["a.org:443", "a.org:444", false],
  ["a.org:443", "a.org:443/udp", false],
  ["a.org:400-500", "a.org:443", true],
  ["a.org:443", "a.org:400-500", false],
  ["a.org:443", "*.a.org:443", false],
  ["*.a.org:443", "b.a.org:443", true],
  ["*.a.org:443", "c.b.a.org:443", true],
  ["*.a.org:443", "*.a.org:443", true],
  ["*.a.org:443", "*.b.a.org:443", true],
  ["*.a.org:443", "a.org:443", false],
  ["*.a.org:443", "ba.org:443", false],
  ["*.b.a.org:443", "*.a.org:443", false],
  ["10.0.0.0/8:502", "10.1.2.3:502", true],
  ["10.0.0.0/8:502", "10.1.0.0/16:502", true],
  ["10.1.0.0/16:502", "10.0.0.0/8:502", false],
  ["10.0.0.0/8:502", "11.0.0.1:502", false],
  ["10.0.0.0/8:502", "[fd00::1]:502", false],
  ["[fd00::/8]:502", "[fd00::1]:502", true],
  ["*:443", "a.org:443", true],
  ["*:443", "*:443", true],
  ["*:443", "127.0.0.1:443", false],
  ["a.org:443", "*:443", false],
  ["0.0.0.0/0:443", "*:443", false],
];

for (const [wide, narrow, covers] of coverage) {
  test(`a grant of ${wide} ${covers ? "covers" : "does not cover"} a request for ${narrow}`, (t) => {
    const [one, other] = [parseNetworkRule(wide), parseNetworkRule(narrow)];
    t.truthy(one && other);
    if (one !== undefined && other !== undefined) t.is(coversRule(one, other), covers);
  });
}
