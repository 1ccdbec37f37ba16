/**
 * Metadata that a device must not believe, raw on the retained topics of either repository: refused under the attack's name, while
 * 1.0.0 runs on and what was trusted stays.
 */
import test from "ava";
import { loadMetadata } from "../../../fleet/metadata-store.ts";
import { writeTargets } from "../../../fleet/write-metadata.ts";
import { targetPath } from "../../../ota/names.ts";
import { targetInfo } from "../../../ota/sign-metadata.ts";
import { type Device, SharedDevice } from "./harness.ts";
import { MODULE, signRelease, steady } from "./releases.ts";
import { Forge } from "./signing.ts";

const shared = new SharedDevice();
test.after.always(() => shared.close());

const HOUR_MS = 3_600_000;
type Role = "timestamp" | "snapshot" | "targets";
type Files = Partial<Record<Role, Uint8Array>>;

interface Attack {
  readonly rule: string;
  readonly code: string;
  /** The role that the event names. */
  readonly role: Role;
  /** What the attacker puts on the topics of one repository. */
  readonly files: (forge: Forge, other: Forge) => Promise<Files>;
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** With one digit of the signature changed. */
function unsigned(bytes: Uint8Array): Uint8Array {
  return text(
    Buffer.from(bytes)
      .toString("utf8")
      .replace(/("sig":")(.)/, (_all, before: string, digit: string) => before + (digit === "0" ? "1" : "0")),
  );
}

/** The same JSON with a blank more, so that only length and digest are other. */
const longer = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes, text(" ")]);

const ATTACKS: readonly Attack[] = [
  {
    rule: "a newer timestamp with a wrong signature",
    code: "trust/signature-invalid",
    role: "timestamp",
    files: async (forge) => ({ timestamp: unsigned(await forge.timestamp()) }),
  },
  {
    rule: "newer targets with a wrong signature",
    code: "trust/signature-invalid",
    role: "targets",
    files: async (forge) => ({ targets: unsigned(await forge.targets()) }),
  },
  {
    rule: "metadata of the other repository",
    code: "trust/wrong-repository",
    role: "timestamp",
    files: async (_forge, other) => ({ timestamp: await other.timestamp() }),
  },
  {
    rule: "a snapshot where the timestamp belongs",
    code: "trust/wrong-role",
    role: "timestamp",
    files: async (forge) => ({ timestamp: await forge.snapshot() }),
  },
  {
    rule: "a snapshot with another length than the timestamp names",
    code: "trust/length-mismatch",
    role: "snapshot",
    files: async (forge) => {
      const { version } = forge.next("snapshot");
      const bytes = await forge.snapshot();
      const timestamp = await forge.timestamp(forge.next("timestamp"), { version, bytes: longer(bytes) });
      return { snapshot: bytes, timestamp };
    },
  },
  {
    rule: "a snapshot with another digest than the timestamp names",
    code: "trust/hash-mismatch",
    role: "snapshot",
    files: async (forge) => {
      const { version } = forge.next("snapshot");
      const named = await forge.snapshot(forge.next("snapshot", Date.now() + HOUR_MS));
      const bytes = await forge.snapshot(forge.next("snapshot", Date.now() + 2 * HOUR_MS));
      return {
        snapshot: bytes,
        timestamp: await forge.timestamp(forge.next("timestamp"), { version, bytes: named }),
      };
    },
  },
  {
    rule: "targets with another digest than the snapshot names",
    code: "trust/hash-mismatch",
    role: "targets",
    files: async (forge) => {
      const { version } = forge.next("targets");
      const named = await forge.targets(forge.next("targets", Date.now() + HOUR_MS));
      const bytes = await forge.targets(forge.next("targets", Date.now() + 2 * HOUR_MS));
      const snapshot = await forge.snapshot(forge.next("snapshot"), { version, bytes: named });
      const snapshotFile = { version: forge.next("snapshot").version, bytes: snapshot };
      return {
        targets: bytes,
        snapshot,
        timestamp: await forge.timestamp(forge.next("timestamp"), snapshotFile),
      };
    },
  },
  {
    rule: "a timestamp past its expiry",
    code: "trust/freeze-attack",
    role: "timestamp",
    files: async (forge) => ({
      timestamp: await forge.timestamp(forge.next("timestamp", Date.now() - HOUR_MS)),
    }),
  },
  {
    rule: "a timestamp that never gets its snapshot",
    code: "trust/mix-and-match-attack",
    role: "snapshot",
    files: async (forge) => {
      const file = { version: forge.next("snapshot").version, bytes: await forge.snapshot() };
      return { timestamp: await forge.timestamp(forge.next("timestamp"), file) };
    },
  },
  {
    rule: "an older timestamp than the trusted one",
    code: "trust/rollback-attack",
    role: "timestamp",
    files: async (forge) => ({
      timestamp: await forge.timestamp({ ...forge.next("timestamp"), version: 1 }),
    }),
  },
  {
    rule: "duplicate keys",
    code: "trust/malformed",
    role: "timestamp",
    files: async (forge) => {
      const [, signed] = Buffer.from(await forge.timestamp())
        .toString("utf8")
        .split('"signed":');
      return { timestamp: text(`{"signatures":[],"signatures":[],"signed":${signed}`) };
    },
  },
  {
    rule: "deep nesting",
    code: "trust/malformed",
    role: "targets",
    files: async () => ({ targets: text(`${"[".repeat(30_000)}${"]".repeat(30_000)}`) }),
  },
  {
    rule: "no JSON",
    code: "trust/malformed",
    role: "snapshot",
    files: async () => ({ snapshot: text("\u0000\u0001 not JSON") }),
  },
  {
    rule: "nothing",
    code: "trust/malformed",
    role: "timestamp",
    files: async () => ({ timestamp: text("[]") }),
  },
  {
    rule: "over 64 KiB",
    code: "trust/endless-data-attack",
    role: "targets",
    files: async () => ({ targets: new Uint8Array(65_537).fill(0x20) }),
  },
];

for (const repository of ["image", "director"] as const) {
  for (const { rule, code, role, files } of ATTACKS) {
    test.serial(`${code}: ${repository}: ${rule}; 1.0.0 runs on`, async (t) => {
      const device = await shared.get(t);
      if (device === undefined) return;
      const from = device.events.count;
      const forge = await Forge.open(device.rig, repository);
      const other = await Forge.open(device.rig, repository === "image" ? "director" : "image");
      await publish(device, repository, await files(forge, other));
      const refused = await device.events.until("a refusal", ({ event }) => event === "refused", from);
      t.like(refused, { code, repository, role });
      await device.expectServing(t, "1.0.0");
      await device.rig.sync({ withBlobs: false, force: true });
    });
  }
}

test.serial(
  "trust/not-vouched: the director assigns other bytes than the image repository lists",
  async (t) => {
    const device = await shared.get(t);
    if (device === undefined) return;
    const { repository } = device.rig;
    await signRelease(device.rig, await steady("1.1.0"));
    const director = await loadMetadata(repository, "director");
    const path = targetPath(MODULE, "1.1.0", "component.wasm");
    const targets = [...director.targets.metadata.targets.values()].map((target) =>
      target.path === path
        ? targetInfo(path, { length: target.length, sha256: "0".repeat(64) }, target.custom)
        : target,
    );
    await writeTargets({ repository, nowMs: Date.now() }, director, targets);
    await device.rig.sync({ withBlobs: false });
    t.like(await device.event("refused", "1.1.0"), { code: "trust/not-vouched", module: MODULE });
    await device.expectServing(t, "1.0.0");
  },
);

test.serial("after all of these an update in order is installed", async (t) => {
  const device = await shared.get(t);
  if (device === undefined) return;
  await device.install(await steady("1.2.0"));
  await device.expectServing(t, "1.2.0");
});

async function publish(device: Device, repository: string, files: Files): Promise<void> {
  for (const [role, bytes] of Object.entries(files)) {
    await device.rig.publishRaw(`${repository}/${role}`, bytes);
  }
}
