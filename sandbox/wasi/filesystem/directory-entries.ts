/** `wasi:filesystem/types.directory-entry-stream` (WASI 0.2): the system's own, so that memory does not grow with the folder. */

import { type Dir, opendirSync } from "node:fs";
import { type DescriptorType, typeOf } from "./metadata.ts";
import type { FilesystemContext } from "./open-folder.ts";
import { decodeName, entryOf } from "./resolve.ts";

interface DirectoryEntry {
  readonly type: DescriptorType;
  readonly name: string;
}

export class DirectoryEntryStream {
  readonly #context: FilesystemContext;
  readonly #entries: Dir;

  /** @param folder its descriptor, which may be closed afterwards */
  constructor(context: FilesystemContext, folder: number) {
    this.#context = context;
    // Node's types leave this encoding out: names come as bytes.
    const encoding = "buffer" as BufferEncoding;
    this.#entries = context.opening(() => opendirSync(entryOf(folder, "."), { encoding }));
  }

  readDirectoryEntry(): DirectoryEntry | undefined {
    return this.#context.call(() => {
      const entry = this.#entries.readSync();
      if (entry === null) return undefined;
      const name: unknown = entry.name;
      return { type: typeOf(entry), name: name instanceof Uint8Array ? decodeName(name) : entry.name };
    });
  }

  [Symbol.dispose](): void {
    this.#context.closed();
    this.#entries.closeSync();
  }
}
