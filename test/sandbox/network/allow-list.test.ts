/** Where a module may connect to: what its rules name, and what allowed names lead to, special addresses excepted. */

import { existsSync } from "node:fs";
import test from "ava";
import { parseNetworkRule } from "../../../devices/network-rules.ts";
import { MAX_RESOLVED_ADDRESSES } from "../../../sandbox/limits.ts";
import { AllowList } from "../../../sandbox/network/allow-list.ts";
import { isNearAddress } from "../../../sandbox/network/near-networks.ts";
import { isSpecialAddress } from "../../../sandbox/network/special-addresses.ts";

function rules(texts: readonly string[]) {
  return texts.flatMap((text) => parseNetworkRule(text) ?? []);
}

function listOf(connect: readonly string[], listen: readonly string[] = []) {
  return new AllowList({ connect: rules(connect), listen: rules(listen) });
}

function place(address: string, port: number, protocol: "tcp" | "udp" = "tcp") {
  return { address, family: address.includes(":") ? "ipv6" : "ipv4", port, protocol } as const;
}

function found(...addresses: string[]) {
  return addresses.map((address) => ({ address, family: place(address, 0).family }));
}

test("an address that a rule names is allowed on its ports and protocol, and no other", (t) => {
  const list = listOf(["10.0.0.5:502", "[fd00::/8]:53/udp", "127.0.0.1:8000-8010"]);
  t.true(list.allowsPlace(place("10.0.0.5", 502)));
  t.false(list.allowsPlace(place("10.0.0.5", 503)));
  t.false(list.allowsPlace(place("10.0.0.5", 502, "udp")));
  t.false(list.allowsPlace(place("10.0.0.6", 502)));
  t.true(list.allowsPlace(place("fd00::7", 53, "udp")));
  t.true(list.allowsPlace(place("127.0.0.1", 8010)));
  t.false(list.allowsPlace(place("127.0.0.1", 8011)));
});

test("a range of one family says nothing of the other, though one may be written as the other", (t) => {
  const six = listOf(["[::/0]:80", "[::ffff:0:0/96]:80"], ["[::/0]:80"]);
  t.true(six.allowsPlace(place("2606:4700::1", 80)));
  t.false(six.allowsPlace(place("127.0.0.1", 80)));
  t.false(six.allowsListening(place("127.0.0.1", 80)));
  t.deepEqual(six.learn("a.org", found("10.0.0.1")), []);
  t.false(listOf(["10.0.0.0/8:80"]).allowsPlace(place("::ffff:10.0.0.1", 80)));
});

test("what an allowed name resolved to is allowed on the rule's ports, and not before", (t) => {
  const list = listOf(["api.example.org:443"]);
  t.true(list.allowsName("api.example.org"));
  t.false(list.allowsPlace(place("93.184.216.34", 443)));
  t.deepEqual(list.learn("api.example.org", found("93.184.216.34")), found("93.184.216.34"));
  t.true(list.allowsPlace(place("93.184.216.34", 443)));
  t.false(list.allowsPlace(place("93.184.216.34", 80)));
  t.false(list.allowsPlace(place("93.184.216.34", 443, "udp")));
});

test("a name that no rule has may not be looked up, nor does it lead anywhere", (t) => {
  const list = listOf(["*.example.org:443", "10.0.0.1:1"]);
  t.true(list.allowsName("a.b.example.org"));
  for (const name of ["example.org", "evilexample.org", "example.org.evil.net", "10.0.0.1", ""]) {
    t.false(list.allowsName(name), name);
    t.deepEqual(list.learn(name, found("93.184.216.34")), [], name);
  }
});

for (const address of [
  "127.0.0.1",
  "169.254.169.254",
  "10.1.2.3",
  "192.168.1.1",
  "0.0.0.0",
  "::1",
  "fe80::1",
  "fd00::1",
  "::ffff:7f00:1",
  "::ffff:0:7f00:1",
  "64:ff9b::7f00:1",
]) {
  test(`an allowed name does not lead to ${address}`, (t) => {
    const list = listOf(["rebind.example.org:80", "*:80", "*.org:80"]);
    t.deepEqual(list.learn("rebind.example.org", found(address, "93.184.216.34")), found("93.184.216.34"));
    t.false(list.allowsPlace(place(address, 80)));
  });
}

test("an allowed name, and a star, do not lead into the device's own networks", (t) => {
  const files: Readonly<Record<string, string>> = {
    "/proc/net/if_inet6":
      "260647000001000200000000000000070 junk\n26064700000100020000000000000007 02 40 00 80     eth0\n" +
      "20010000000000000000000000000009 03 00 00 80     tun0\n",
    "/proc/net/route":
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n" +
      "eth0\t00000000\t01040808\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" +
      "eth0\t00040808\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n" +
      "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n",
  };
  const list = new AllowList(
    { connect: rules(["a.org:80", "*:80", "[2606:4700:1:2::9]:502"]), listen: [] },
    (address, family) => isNearAddress(address, family, (path) => files[path] ?? ""),
  );
  const near = ["8.8.4.1", "8.8.4.255", "2606:4700:1:2::7", "2606:4700:1:2::8"];
  const far = ["8.8.5.1", "1.1.1.1", "2606:4700:1:3::7"];
  t.deepEqual(list.learn("a.org", found(...near, ...far)), found(...far));
  for (const address of near) t.false(list.allowsPlace(place(address, 80)), address);
  for (const address of far) t.true(list.allowsPlace(place(address, 80)), address);
  t.true(list.allowsPlace(place("2606:4700:1:2::9", 502)));
  // The loopback is on every Linux, special as it is.
  t.is(isNearAddress("::1", "ipv6"), existsSync("/proc/net/if_inet6"));
});

test("it does if a rule names that address too, on that rule's ports", (t) => {
  const list = listOf(["plc.example.org:80", "192.168.1.0/24:502"]);
  t.deepEqual(list.learn("plc.example.org", found("192.168.1.7", "192.168.2.7")), found("192.168.1.7"));
  t.true(list.allowsPlace(place("192.168.1.7", 502)));
  t.false(list.allowsPlace(place("192.168.1.7", 80)));
});

test("localhost is the loopback where a rule says localhost, and nowhere else", (t) => {
  const list = listOf(["localhost:80"]);
  t.deepEqual(list.learn("localhost", found("127.0.0.1", "::1", "10.0.0.1")), found("127.0.0.1", "::1"));
  t.true(list.allowsPlace(place("127.0.0.1", 80)));
  t.false(list.allowsPlace(place("127.0.0.1", 81)));
  t.deepEqual(listOf(["*:80"]).learn("localhost", found("127.0.0.1")), []);
});

test("a star is every address that is not special", (t) => {
  const list = listOf(["*:443"]);
  t.true(list.allowsPlace(place("93.184.216.34", 443)));
  t.true(list.allowsPlace(place("2606:2800:220:1::1", 443)));
  t.false(list.allowsPlace(place("192.168.1.1", 443)));
});

test("addresses that names led to are forgotten, the oldest first", (t) => {
  const list = listOf(["*.example.org:443"]);
  for (let count = 0; count <= MAX_RESOLVED_ADDRESSES; count += 1) {
    list.learn("a.example.org", found(`93.184.${count >> 8}.${count & 255}`));
  }
  t.false(list.allowsPlace(place("93.184.0.0", 443)));
  t.true(list.allowsPlace(place("93.184.0.1", 443)));
});

test("a module is reached only where it may listen", (t) => {
  const list = listOf(["*:*", "0.0.0.0/0:*"], ["127.0.0.1:8080", "*:5353/udp"]);
  t.true(list.allowsListening(place("127.0.0.1", 8080)));
  t.false(list.allowsListening(place("0.0.0.0", 8080)));
  t.false(list.allowsListening(place("127.0.0.1", 0)));
  t.true(list.allowsListening(place("::", 5353, "udp")));
  t.false(list.allowsListening(place("::", 5353)));
});

for (const [address, isSpecial] of [
  ["8.8.8.8", false],
  ["172.15.255.255", false],
  ["172.16.0.1", true],
  ["100.127.0.1", true],
  ["255.255.255.255", true],
  ["224.0.0.251", true],
  ["2a00:1450::1", false],
  ["64:ff9b::a00:1", true],
  ["2002:a00:1::", true],
  ["ff02::fb", true],
  ["::", true],
] as const) {
  test(`${address} is ${isSpecial ? "a special" : "an ordinary"} address`, (t) => {
    t.is(isSpecialAddress(address, place(address, 0).family), isSpecial);
  });
}
