import test from "ava";
import {
  decideGrants,
  type Grant,
  type GrantRequest,
  grantedInterfaces,
  matchesModule,
} from "../../devices/grants.ts";

const MIB = 1024 * 1024;
const nothing: GrantRequest = {
  sensor: [],
  serial: [],
  publish: [],
  subscribe: [],
  memoryBytes: 0,
  storageBytes: 0,
};

function grant(module: string, parts: Partial<Grant> = {}): Grant {
  return {
    module,
    sensor: [],
    serial: [],
    publish: [],
    subscribe: [],
    network: [],
    listen: [],
    memoryBytes: 4 * MIB,
    storageBytes: 0,
    codeBytes: MIB,
    ...parts,
  };
}

function refusedNames(grants: readonly Grant[], request: Partial<GrantRequest>, module = "acme/thermo") {
  const decision = decideGrants({ grants }, module, { ...nothing, ...request });
  return decision.kind === "refused" ? decision.refusals.map((one) => `${one.capability} ${one.name}`) : [];
}

test("a request that one grant covers is granted, and nothing besides", (t) => {
  const grants = [grant("acme/*", { sensor: ["ambient", "outside"], publish: ["telemetry/#"] })];
  const request = {
    sensor: ["ambient"],
    serial: [],
    publish: ["telemetry/#"],
    subscribe: [],
    memoryBytes: 2 * MIB,
    storageBytes: 0,
  };
  t.deepEqual(decideGrants({ grants }, "acme/thermo", request), {
    kind: "granted",
    grants: {
      sensors: ["ambient"],
      serial: [],
      publish: ["telemetry/#"],
      subscribe: [],
      memoryBytes: 2 * MIB,
      storageBytes: 0,
    },
  });
});

test("without a grant for the module everything is refused, even a request for nothing", (t) => {
  t.deepEqual(refusedNames([], {}), ["module acme/thermo"]);
  t.deepEqual(refusedNames([grant("other/*")], { sensor: ["ambient"] }), ["module acme/thermo"]);
});

test("each part that no grant covers is refused by name", (t) => {
  const grants = [
    grant("acme/*", { sensor: ["ambient"], publish: ["telemetry/temperature"], subscribe: ["message/a"] }),
  ];
  const request = {
    sensor: ["ambient", "secret"],
    serial: ["modbus0"],
    publish: ["telemetry/#"],
    subscribe: ["message/a", "telemetry/acme.meter/#"],
    memoryBytes: 8 * MIB,
    storageBytes: 1,
  };
  t.deepEqual(refusedNames(grants, request), [
    "sensor secret",
    "serial modbus0",
    "publish telemetry/#",
    "subscribe telemetry/acme.meter/#",
    `memory ${8 * MIB}`,
    "storage 1",
  ]);
});

test("grants that fit the module add up", (t) => {
  const grants = [
    grant("*/*", { sensor: ["ambient"], memoryBytes: MIB }),
    grant("acme/*", { publish: ["telemetry/#"], memoryBytes: 2 * MIB }),
    grant("acme/thermo", { serial: ["modbus0"], memoryBytes: MIB, storageBytes: MIB }),
  ];
  const request = {
    sensor: ["ambient"],
    serial: ["modbus0"],
    publish: ["telemetry/a"],
    memoryBytes: 2 * MIB,
    storageBytes: MIB,
  };
  t.deepEqual(refusedNames(grants, request), []);
});

test("a grant for another module gives nothing", (t) => {
  const grants = [grant("acme/thermo"), grant("acme/other", { serial: ["modbus0"] })];
  t.deepEqual(refusedNames(grants, { serial: ["modbus0"] }), ["serial modbus0"]);
});

test("a publisher's pattern fits that publisher only", (t) => {
  t.true(matchesModule("acme/*", "acme/thermo"));
  t.false(matchesModule("acme/*", "acme2/thermo"));
  t.false(matchesModule("acme/thermo", "acme/thermo2"));
  t.true(matchesModule("*/*", "any/thing"));
});

test("a refusal tells the operator what to write", (t) => {
  const decision = decideGrants({ grants: [grant("acme/*")] }, "acme/thermo", {
    ...nothing,
    serial: ["modbus0"],
  });
  t.is(decision.kind, "refused");
  t.regex(JSON.stringify(decision), /acme\/thermo asks for serial \\"modbus0\\".*\[\[grant\]\]/);
});

test("grants open exactly the interfaces that they have names for", (t) => {
  const none = { sensors: [], serial: [], publish: [], subscribe: [], memoryBytes: 0, storageBytes: 0 };
  t.deepEqual(grantedInterfaces(none), []);
  t.deepEqual(grantedInterfaces({ ...none, sensors: ["a"] }), ["skerry:device/sensor"]);
  t.deepEqual(grantedInterfaces({ ...none, serial: ["a"], publish: ["b"] }), [
    "skerry:device/serial",
    "skerry:module/messaging",
  ]);
});

test("config: the owner's values stand in the place of the manifest's, and are no request", (t) => {
  const policy = {
    grants: [
      grant("acme/*", { config: { setpoint: "20", zone: "hall" } }),
      grant("acme/thermo", { config: { setpoint: "21" } }),
      grant("other/*", { config: { setpoint: "5" } }),
    ],
  };
  const decision = decideGrants(policy, "acme/thermo", {
    ...nothing,
    config: { setpoint: "19", period: "1s" },
  });
  t.deepEqual(decision.kind === "granted" && decision.grants.config, {
    setpoint: "21",
    period: "1s",
    zone: "hall",
  });
});

test("rules of the network are granted one by one, each by a rule that covers it", (t) => {
  const grants = [
    grant("acme/*", { network: ["*.example.org:443"], listen: ["127.0.0.1:8000-8100"] }),
    grant("*/*", { network: ["10.0.0.0/8:502"] }),
  ];
  const network = ["api.example.org:443", "10.1.0.0/16:502"];
  const granted = decideGrants({ grants }, "acme/thermo", {
    ...nothing,
    network,
    listen: ["127.0.0.1:8080"],
  });
  t.like(granted, { kind: "granted" });
  const { connect = [], listen = [] } = granted.kind === "granted" ? (granted.grants.network ?? {}) : {};
  t.deepEqual(
    [...connect, ...listen].map(({ host, firstPort }) => [host.kind, firstPort]),
    [
      ["name", 443],
      ["addresses", 502],
      ["addresses", 8080],
    ],
  );
  const wanted = {
    network: [...network, "example.net:443", "api.example.org:80", "no rule"],
    listen: ["*:8080"],
  };
  t.deepEqual(refusedNames(grants, wanted), [
    "network example.net:443",
    "network api.example.org:80",
    "network no rule",
    "listen *:8080",
  ]);
});

test("an empty list of hosts needs no grant and gives the interfaces, no list gives nothing", (t) => {
  const empty = decideGrants({ grants: [grant("acme/*")] }, "acme/thermo", { ...nothing, network: [] });
  t.deepEqual(empty.kind === "granted" ? empty.grants.network : undefined, { connect: [], listen: [] });
  const none = decideGrants({ grants: [grant("acme/*", { network: ["*:*"] })] }, "acme/thermo", nothing);
  t.false(none.kind === "granted" && "network" in none.grants);
});
