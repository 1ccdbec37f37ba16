/**
 * The device's store (docs/ARCHITECTURE.md, "The device's disk"): the state file, trusted metadata, unfinished downloads,
 * immutable version folders.
 *
 * Orders that matter: a version folder appears by one rename of a folder whose files are all on the medium, so that a folder that
 * is there is whole; the state file refers to a version folder only after that; a folder is removed only after the state
 * file has stopped referring to it.
 */

import { basename, dirname, join } from "node:path";
import { Low } from "lowdb";
import type { Disk } from "./disk.ts";
import { DurableAdapter } from "./durable-adapter.ts";
import { withFile } from "./durable-file.ts";
import { OtaError } from "./errors.ts";
import type { InstallState } from "./install-types.ts";
import type { RepositoryName } from "./metadata.ts";
import { removeData } from "./module-data.ts";
import { topicSegment } from "./names.ts";
import { type ReleaseRecord, releaseId } from "./release.ts";
import {
  EMPTY_STATE,
  fromDurable,
  parseState,
  STATE_SCHEMA,
  type StoredState,
  toDurable,
} from "./state-format.ts";
import { TrustFolder } from "./trust-folder.ts";

/** The files of a release, as they are called in its folders. */
export const COMPONENT_FILE = "component.wasm";
export const CHUNKS_FILE = "component.chunks";
export const MANIFEST_FILE = "module.toml";

/** The chunk list stays: later downloads take chunks from the component where it lies. */
const VERSION_FILES: ReadonlySet<string> = new Set([COMPONENT_FILE, CHUNKS_FILE, MANIFEST_FILE]);

/** What a folder is called while it is being removed; a leftover goes with the next clean-up. */
const REMOVED_SUFFIX = ".removed";

export type StoreOptions = {
  /** Told of a generation of the state file that was damaged while the other one holds. */
  readonly onDamage?: (message: string) => void;
};

/**
 * Opens the store of a device, which may be new; `stateDir` and its folders are made if absent.
 *
 * @throws OtaError "store/corrupt", "store/newer-version", "store/disk-full", "store/io"
 */
export async function openStore(disk: Disk, stateDir: string, options: StoreOptions = {}): Promise<Store> {
  await makeFolders(disk, stateDir);
  const adapter = new DurableAdapter<StoredState>({
    disk,
    directory: stateDir,
    schema: STATE_SCHEMA,
    parse: parseState,
    ...options,
  });
  const database = new Low(adapter, EMPTY_STATE);
  await database.read();
  return new Store(disk, stateDir, database);
}

/** Folders of the state folder, each after the one that it stands in. */
const FOLDERS = ["trust", "trust/image", "trust/director", "incoming", "versions", "data"];

/** Those whose names say something: what lies in `incoming` is nothing before it is a version. */
const DURABLE_FOLDERS = ["data", "versions", "trust/director", "trust/image", "trust", ""];

/**
 * An agent that was killed may have renamed something without getting to the sync. What is in the page cache of it is made durable before
 * anything is believed of it, since it would be gone with the power later, after other steps had been taken by it.
 */
async function makeFolders(disk: Disk, stateDir: string): Promise<void> {
  await makeWithParents(disk, stateDir);
  for (const folder of FOLDERS) {
    await disk.makeDirectory(join(stateDir, folder));
  }
  for (const folder of DURABLE_FOLDERS) {
    await disk.syncDirectory(join(stateDir, folder));
  }
  const isFirstStart = (await disk.entry(join(stateDir, "state.0.json"))) === undefined;
  for (let folder = stateDir; isFirstStart && folder !== dirname(folder); folder = dirname(folder)) {
    await syncNameOf(disk, folder);
  }
}

async function makeWithParents(disk: Disk, folder: string): Promise<void> {
  if ((await disk.entry(folder)) !== undefined) {
    return;
  }
  await makeWithParents(disk, dirname(folder));
  await disk.makeDirectory(folder);
}

/** A folder above that the agent may not open is not one that it made. */
async function syncNameOf(disk: Disk, folder: string): Promise<void> {
  try {
    await disk.syncDirectory(dirname(folder));
  } catch (error) {
    if (!(error instanceof OtaError)) {
      throw error;
    }
  }
}

export class Store {
  readonly disk: Disk;
  readonly #stateDir: string;
  readonly #database: Low<StoredState>;
  /** Writes come one after another: each takes over what the others changed. */
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(disk: Disk, stateDir: string, database: Low<StoredState>) {
    this.disk = disk;
    this.#stateDir = stateDir;
    this.#database = database;
  }

  /** Every module's state as last written. */
  modules(): ReadonlyMap<string, InstallState> {
    return new Map(
      Object.entries(this.#database.data.modules).map(([name, durable]) => [name, fromDurable(durable)]),
    );
  }

  /**
   * Makes a module's state durable; writes nothing if that part of it which outlives the agent is what was written last.
   *
   * @throws OtaError "store/disk-full", "store/io"; what was written before stands
   */
  saveModule(module: string, state: InstallState): Promise<void> {
    const durable = toDurable(state);
    return this.#inTurn(({ modules, ...rest }) =>
      JSON.stringify(modules[module]) === JSON.stringify(durable)
        ? undefined
        : { ...rest, modules: { ...modules, [module]: durable } },
    );
  }

  /**
   * Forgets a module of which nothing is committed: its private files first, so that it is tried again where that is cut short.
   *
   * @throws OtaError "store/disk-full", "store/io"
   */
  async forgetModule(module: string): Promise<void> {
    await removeData(this.disk, this.dataDirectory(module));
    await this.#inTurn(({ modules, ...rest }) => {
      const { [module]: forgotten, ...others } = modules;
      return forgotten === undefined ? undefined : { ...rest, modules: others };
    });
  }

  /** Runs of the agent in a row that ended unasked, soon after their start. */
  get uncleanEnds(): number {
    return this.#database.data.uncleanEnds;
  }

  /** The machine's boot in which the latest run began that was counted; empty for none. */
  get bootId(): string {
    return this.#database.data.bootId;
  }

  /**
   * Notes a run of the agent that begins in a boot of the machine as one that has ended unasked already; `endRun` takes that back.
   *
   * @param uncleanEnds how many in a row that makes
   * @throws OtaError "store/disk-full", "store/io"
   */
  beginRun(uncleanEnds: number, bootId: string): Promise<void> {
    return this.#inTurn((data) => ({ ...data, uncleanEnds, bootId }));
  }

  /** The run ended as it should, or has lasted so long that it is not one that dies at its start. */
  endRun(): Promise<void> {
    return this.#inTurn((data) => (data.uncleanEnds === 0 ? undefined : { ...data, uncleanEnds: 0 }));
  }

  /** Writes what a change makes of the state once the writes before it are done; undefined for nothing to write. */
  #inTurn(change: (data: StoredState) => StoredState | undefined): Promise<void> {
    const write = this.#lastWrite.then(() => this.#write(change(this.#database.data)));
    // A write that fails is its caller's to handle; the next one is tried all the same.
    this.#lastWrite = write.catch(() => undefined);
    return write;
  }

  async #write(next: StoredState | undefined): Promise<void> {
    const before = this.#database.data;
    if (next === undefined) {
      return;
    }
    this.#database.data = next;
    try {
      await this.#database.write();
    } catch (error) {
      this.#database.data = before;
      throw error;
    }
  }

  /** The trusted metadata of a repository. */
  trust(repository: RepositoryName): TrustFolder {
    return new TrustFolder(this.disk, join(this.#stateDir, "trust", repository));
  }

  /** Where a release's component lies once it is fetched. */
  componentPath(release: ReleaseRecord): string {
    return join(this.#versionDirectory(release), COMPONENT_FILE);
  }

  manifestPath(release: ReleaseRecord): string {
    return join(this.#versionDirectory(release), MANIFEST_FILE);
  }

  /** Whether a release was fetched. What its folder holds may have been spoiled since: the caller hashes it. */
  async hasVersion(release: ReleaseRecord): Promise<boolean> {
    return (await this.disk.entry(this.#versionDirectory(release)))?.kind === "directory";
  }

  /**
   * The paths of all version folders, of whatever module: a download takes chunks from their components, by their chunk lists.
   * Nothing in them is known to be intact, and a clean-up may remove one at any time.
   */
  async versionDirectories(): Promise<string[]> {
    const parent = join(this.#stateDir, "versions");
    const names = await this.disk.list(parent);
    return names.filter((name) => !name.endsWith(REMOVED_SUFFIX)).map((name) => join(parent, name));
  }

  /** The folder in which a release is put together. */
  incomingDirectory(release: ReleaseRecord): string {
    return join(this.#stateDir, "incoming", release.component.sha256);
  }

  /**
   * Turns a complete download into a version folder, in one durable step. All its files are synced here, whoever wrote them: an earlier
   * agent may have left in the page cache what this one found to be right.
   */
  async promote(release: ReleaseRecord): Promise<void> {
    const incoming = this.incomingDirectory(release);
    const version = this.#versionDirectory(release);
    for (const name of await this.disk.list(incoming)) {
      const path = join(incoming, name);
      await (VERSION_FILES.has(name)
        ? withFile(this.disk, path, "update", (file) => file.sync())
        : this.disk.remove(path));
    }
    await this.disk.syncDirectory(incoming);
    await this.disk.rename(incoming, version);
    // A rename is atomic: where its new name is on the medium, the old one is gone from there.
    await this.disk.syncDirectory(dirname(version));
  }

  /** What version folders and downloads take, in bytes, but for the download of one release. */
  async usedBytes(except: ReleaseRecord): Promise<number> {
    const incoming = join(this.#stateDir, "incoming");
    const downloads = (await this.disk.list(incoming)).map((name) => join(incoming, name));
    const folders = [...(await this.versionDirectories()), ...downloads];
    let usedBytes = 0;
    for (const folder of folders.filter((each) => each !== this.incomingDirectory(except))) {
      for (const name of await this.disk.list(folder)) {
        usedBytes += (await this.disk.entry(join(folder, name)))?.sizeBytes ?? 0;
      }
    }
    return usedBytes;
  }

  /** Removes version folders and downloads of releases that the predicate disowns; it is asked right before each removal. */
  async cleanUp(isReferenced: (isOf: (release: ReleaseRecord) => boolean) => boolean): Promise<void> {
    await this.#cleanFolder("versions", (name) => isReferenced((release) => releaseId(release) === name));
    await this.#cleanFolder("incoming", (name) =>
      isReferenced((release) => release.component.sha256 === name),
    );
  }

  async #cleanFolder(folder: string, isKept: (name: string) => boolean): Promise<void> {
    const path = join(this.#stateDir, folder);
    for (const name of await this.disk.list(path)) {
      if (!isKept(name)) {
        await this.#removeFolder(path, name);
      }
    }
  }

  /** Takes a version folder away whose files are not what was signed. */
  async discardVersion(release: ReleaseRecord): Promise<void> {
    const path = this.#versionDirectory(release);
    await this.#removeFolder(dirname(path), basename(path));
  }

  async #removeFolder(parent: string, name: string): Promise<void> {
    if (name.endsWith(REMOVED_SUFFIX)) {
      await this.disk.remove(join(parent, name));
      return;
    }
    const removed = join(parent, name + REMOVED_SUFFIX);
    await this.disk.remove(removed);
    await this.disk.rename(join(parent, name), removed);
    await this.disk.syncDirectory(parent);
    await this.disk.remove(removed);
  }

  /** A module's private files. */
  dataDirectory(module: string): string {
    return join(this.#stateDir, "data", topicSegment(module));
  }

  #versionDirectory(release: ReleaseRecord): string {
    return join(this.#stateDir, "versions", releaseId(release));
  }
}
