/**
 * A component of nothing but a world: made by wasm-tools from WIT, with every function of what it imports, and exports that trap. The WIT is the
 * project's own (wit/) and that of WASI 0.2 as jco carries it.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import { wholeWit } from "../../examples/wit.ts";

/** As examples/wit.ts has it. */
const WASI_VERSION = "0.2.12";
/** Proposals beside WASI 0.2: what their WIT says, for short. */
const PROPOSALS: Readonly<Record<string, { readonly version: string; readonly text: string }>> = {
  "wasi:config": {
    version: "0.2.0-rc.1",
    text: `interface store {
      variant error { upstream(string), io(string) }
      get: func(key: string) -> result<option<string>, error>;
      get-all: func() -> result<list<tuple<string, string>>, error>;
    }`,
  },
  "wasi:keyvalue": {
    version: "0.2.0-draft",
    text: `interface store {
      variant error { no-such-store, access-denied, other(string) }
      record key-response { keys: list<string>, cursor: option<u64> }
      open: func(identifier: string) -> result<bucket, error>;
      resource bucket {
        get: func(key: string) -> result<option<list<u8>>, error>;
        set: func(key: string, value: list<u8>) -> result<_, error>;
        delete: func(key: string) -> result<_, error>;
        exists: func(key: string) -> result<bool, error>;
        list-keys: func(cursor: option<u64>) -> result<key-response, error>;
      }
    }
    interface atomics {
      use store.{bucket, error};
      increment: func(bucket: borrow<bucket>, key: string, delta: u64) -> result<u64, error>;
    }
    interface batch {
      use store.{bucket, error};
      get-many: func(bucket: borrow<bucket>, keys: list<string>) -> result<list<option<tuple<string, list<u8>>>>, error>;
      set-many: func(bucket: borrow<bucket>, key-values: list<tuple<string, list<u8>>>) -> result<_, error>;
      delete-many: func(bucket: borrow<bucket>, keys: list<string>) -> result<_, error>;
    }`,
  },
  "wasi:logging": {
    version: "0.1.0-draft",
    text: `interface logging {
      enum level { trace, debug, info, warn, error, critical }
      log: func(level: level, context: string, message: string);
    }`,
  },
};

/** @param imports interfaces without their version (`wasi:io/poll`), as are `exports` */
export async function worldComponent(
  imports: readonly string[],
  exports: readonly string[] = [],
): Promise<Uint8Array> {
  const items = [...imports.map((name) => ["import", name]), ...exports.map((name) => ["export", name])];
  const lines = items.map(([direction, name = ""]) => `  ${direction} ${name}@${versionOf(name)};`);
  const folder = await mkdtemp(join(tmpdir(), "skerry-world-"));
  try {
    const worldFile = join(folder, "world.wit");
    await writeFile(worldFile, `package test:all;\nworld all {\n${lines.join("\n")}\n}\n`);
    const proposals = Object.entries(PROPOSALS).map(
      ([name, { version, text }]) => `package ${name}@${version} { ${text} }`,
    );
    const witSource = [wholeWit(worldFile), ...proposals].join("\n");
    // Functions that are not stable yet are in: a host may have them, and a component import them.
    const core = await componentEmbed({ dummy: true, witSource, world: "all", features: { tag: "all" } });
    return componentNew(core, []);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function versionOf(name: string): string {
  const proposal = PROPOSALS[name.slice(0, name.indexOf("/"))];
  return proposal?.version ?? (name.startsWith("wasi:") ? WASI_VERSION : "0.1.0");
}
