/** python-tuf's client takes the operator's folder, and the agent's verifier what python-tuf writes. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { assignRelease } from "../../../fleet/assign.ts";
import { loadTrustedRepository } from "../../../ota/load-trusted.ts";
import { TargetSearch, VerifiedDelegations } from "../../../ota/resolve-target.ts";
import { createVerifier } from "../../../ota/signature.ts";
import { NOTHING_RECEIVED, parseMetadataTopic, receiveMetadata } from "../../../ota/trust-state.ts";
import { verifyRepository } from "../../../ota/trusted-repository.ts";
import { newRepository, publish } from "../../fleet/fixture.ts";
import { serveFolder } from "./http-folder.ts";
import { findPython, type Python } from "./python.ts";

const COMPONENT = "acme/thermo/1.0.0/component.wasm";

/** Arguments: the repository's URL, a target's path; root 1 as input. Prints the target's length and SHA-256. Newer clients want the root as `bootstrap`. */
const READER = `
import inspect, os, sys, tempfile
from tuf.ngclient import Updater
url, path = sys.argv[1:]
root = sys.stdin.buffer.read()
with tempfile.TemporaryDirectory() as folder:
    options = dict(metadata_dir=folder, metadata_base_url=url, target_dir=folder, target_base_url=url)
    if "bootstrap" in inspect.signature(Updater.__init__).parameters:
        options["bootstrap"] = root
    else:
        with open(os.path.join(folder, "root.json"), "wb") as file:
            file.write(root)
    updater = Updater(**options)
    updater.refresh()
    target = updater.get_targetinfo(path)
    print(target.length, target.hashes["sha256"])
`;

/** Argument: a target's path, whose content is that path; it is in a delegated role. Prints the files by the names of their topics. */
const WRITER = `
import json, sys
from datetime import datetime, timezone
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import *
path, = sys.argv[1:]
expires = datetime(2031, 6, 1, tzinfo=timezone.utc)
signers = {role: CryptoSigner.generate_ed25519() for role in ["root", "timestamp", "snapshot"]}
signers["targets"] = CryptoSigner.generate_rsa()
team = CryptoSigner.generate_ecdsa()
root = Root(version=1, expires=expires, consistent_snapshot=True)
for role, signer in signers.items():
    root.add_key(signer.public_key, role)
content = path.encode()
acme = Targets(version=3, expires=expires, targets={path: TargetFile.from_data(path, content, ["sha256"])})
targets = Targets(version=3, expires=expires)
role = DelegatedRole("acme", [], 1, True, paths=["acme/*/*/*"])
targets.delegations = Delegations({}, {"acme": role})
targets.add_key(team.public_key, "acme")
def signed(part, signer):
    metadata = Metadata(part)
    metadata.sign(signer)
    return metadata.to_bytes()
files = {"1.root": signed(root, signers["root"]), "3.acme": signed(acme, team), "3.targets": signed(targets, signers["targets"])}
snapshot = Snapshot(version=3, expires=expires, meta={"acme.json": MetaFile(3), "targets.json": MetaFile(3)})
files["3.snapshot"] = signed(snapshot, signers["snapshot"])
timestamp = Timestamp(version=3, expires=expires, snapshot_meta=MetaFile(3))
files["timestamp"] = signed(timestamp, signers["timestamp"])
print(json.dumps({name: data.decode() for name, data in files.items()}))
`;

async function pythonFor(t: ExecutionContext): Promise<Python | undefined> {
  t.timeout(300_000, "its packages are unpacked the first time");
  const python = await findPython();
  if (python === undefined) {
    t.log("left out: python-tuf is not installed, and unpacking it takes root and mmdebstrap");
    t.pass();
  }
  return python;
}

test.serial("ngclient reads both repositories", async (t) => {
  const python = await pythonFor(t);
  if (python === undefined) return;
  const repository = await newRepository(t);
  const { componentBytes } = await publish(repository);
  const audience = { kind: "group", group: "default", percent: 25 } as const;
  await assignRelease(repository, { module: "acme/thermo", version: "1.0.0", audience });
  const url = await serveFolder(t, repository.folder);
  for (const name of ["image", "director"]) {
    const root = await readFile(join(repository.folder, name, "1.root.json"), "utf8");
    const printed = await python(READER, [`${url}/${name}`, COMPONENT], root);
    t.regex(printed, new RegExp(`^${componentBytes} [0-9a-f]{64}$`, "m"));
  }
});

test.serial(
  "the agent's verifier takes a repository that python-tuf wrote, with RSA, ECDSA and a delegation",
  async (t) => {
    const python = await pythonFor(t);
    if (python === undefined) return;
    const files: Record<string, string> = JSON.parse(await python(WRITER, [COMPONENT], ""));
    const { "1.root": root = "", ...others } = files;
    const verifier = await createVerifier();
    const nowMs = Date.parse("2030-06-01T00:00:00Z");
    const { trusted } = loadTrustedRepository("image", Buffer.from(root), {}, verifier);
    const interest = { root: trusted.root.metadata, delegatedRoles: undefined };
    let received = NOTHING_RECEIVED;
    for (const [name, content] of Object.entries(others)) {
      const topic = parseMetadataTopic(name);
      if (topic === undefined) return t.fail(`${name} is no topic`);
      received = receiveMetadata(received, topic, Buffer.from(content), interest);
    }
    const verdict = verifyRepository(trusted, received, nowMs, verifier);
    if (verdict.kind !== "updated") return t.fail(`the verdict is ${verdict.kind}`);
    const { targets, snapshot } = verdict.trusted;
    if (targets === undefined || snapshot === undefined) return t.fail("there are no targets");
    const search = new TargetSearch({
      targets: targets.metadata,
      snapshot: snapshot.metadata,
      delegated: received.delegated,
      nowMs,
      verifier,
      hardware: undefined,
      verified: new VerifiedDelegations(),
    });
    t.like(search.find(COMPONENT), { kind: "found", target: { length: COMPONENT.length } });
    t.deepEqual(search.find("acme/thermo/2.0.0/component.wasm"), { kind: "absent" });
  },
);
