/**
 * A disk in memory with a page cache that is lost with the power. It keeps exactly what `ota/disk.ts` promises:
 *
 * - What was written to a file since its last `sync` reaches the medium or not, each sector of 512 bytes by itself, in any of the contents
 *   that it had since; the file's size does so independently, and what is in neither reads as zeros.
 * - Names that were made or removed reach the medium in any subset until their folder is synced, in whatever order. A rename is atomic;
 *   it is durable with a sync of the folder that it went to. A folder is removed name by name.
 *
 * What may be on the medium is chosen by `crash-states.ts`; `powerCut` builds the disk that a choice leaves.
 */

import type { Disk, DiskEntry, DiskFile, OpenMode } from "../../ota/disk.ts";
import { OtaError } from "../../ota/errors.ts";

export const SECTOR_BYTES = 512;

export type FileNode = {
  readonly kind: "file";
  /** What a process reads. Never changed in place, so that copies may share it. */
  bytes: Uint8Array;
  durable: Uint8Array;
  /** Per sector what was written there since the last sync, oldest first. */
  readonly pendingSectors: Map<number, Uint8Array[]>;
  /** Sizes that it had since the last sync, oldest first. */
  readonly pendingSizes: number[];
};

type DirectoryNode = {
  readonly kind: "directory";
  readonly names: Map<string, Node>;
  readonly durable: Map<string, Node>;
};

type Node = FileNode | DirectoryNode;

type NamedNode = { readonly folder: DirectoryNode; readonly name: string; readonly node: Node };

/** A change of names that is not known to be on the medium; a rename has both halves. */
type NameChange = { readonly removed?: NamedNode; readonly added?: NamedNode };

/** What of the page cache reaches the medium: asked in a fixed order, for each change of names, then for each file. */
export interface Choice {
  isNameChangeKept(index: number): boolean;
  /** Which of a sector's contents: 0 is the durable one, `count` the newest. */
  sectorVersion(count: number): number;
  sizeVersion(count: number): number;
}

/** All choices that there are at one moment. */
export type Undecided = {
  readonly nameChanges: number;
  readonly files: readonly FileNode[];
};

export class VolatileDisk implements Disk {
  #root: DirectoryNode = newDirectory();
  #pendingNames: NameChange[] = [];
  /** Calls so far, reading ones too: while it grows somebody is at work. */
  calls = 0;
  /** Called after each change, with what it was. */
  onChange: (what: string) => void = () => undefined;
  /** Whether a sync is left out: the fault that a test plants. The stack tells where it was asked for. */
  isSyncLeftOut: (what: string) => boolean = () => false;
  /** Whether a change finds no room; a write then has written its first half. Removing always works. */
  isFull: (what: string) => boolean = () => false;

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.calls++;
    const { folder, name } = this.#parent(path);
    const found = folder.names.get(name);
    if (found?.kind === "directory") throw failure(path, "is a folder");
    if (mode === "read") {
      if (found === undefined) throw failure(path, "does not exist");
      return new VolatileFile(this, path, found);
    }
    const file = found ?? newFile();
    if (found === undefined) {
      this.checkRoom(`create ${path}`, path);
      this.#changeNames({ added: { folder, name, node: file } });
      this.onChange(`create ${path}`);
    } else if (mode === "create") {
      resize(file, 0);
      this.onChange(`truncate ${path}`);
    }
    return new VolatileFile(this, path, file);
  }

  async entry(path: string): Promise<DiskEntry | undefined> {
    this.calls++;
    const node = this.#find(path);
    if (node === undefined) return undefined;
    return { kind: node.kind, sizeBytes: node.kind === "file" ? node.bytes.length : 0 };
  }

  async list(path: string): Promise<string[]> {
    this.calls++;
    const node = this.#find(path);
    return node?.kind === "directory" ? [...node.names.keys()] : [];
  }

  async makeDirectory(path: string): Promise<void> {
    this.calls++;
    if (this.#find(path)?.kind === "directory") return;
    const { folder, name } = this.#parent(path);
    if (folder.names.has(name)) throw failure(path, "is no folder");
    this.checkRoom(`makeDirectory ${path}`, path);
    this.#changeNames({ added: { folder, name, node: newDirectory() } });
    this.onChange(`makeDirectory ${path}`);
  }

  async rename(from: string, to: string): Promise<void> {
    this.calls++;
    const source = this.#parent(from);
    const target = this.#parent(to);
    const node = source.folder.names.get(source.name);
    const replaced = target.folder.names.get(target.name);
    if (node === undefined) throw failure(from, "does not exist");
    if (
      replaced !== undefined &&
      (replaced.kind === "directory" ? replaced.names.size > 0 : node.kind !== "file")
    ) {
      throw failure(to, "is in the way");
    }
    this.checkRoom(`rename ${to}`, to);
    this.#changeNames({ removed: { ...source, node }, added: { ...target, node } });
    this.onChange(`rename ${to}`);
  }

  async remove(path: string): Promise<void> {
    this.calls++;
    const node = this.#find(path);
    if (node === undefined) return;
    this.#removeTree(this.#parent(path), node);
    this.onChange(`remove ${path}`);
  }

  #removeTree({ folder, name }: { folder: DirectoryNode; name: string }, node: Node): void {
    if (node.kind === "directory") {
      for (const [child, childNode] of [...node.names])
        this.#removeTree({ folder: node, name: child }, childNode);
    }
    this.#changeNames({ removed: { folder, name, node } });
  }

  async syncDirectory(path: string): Promise<void> {
    this.calls++;
    const folder = this.#find(path);
    if (folder?.kind !== "directory") throw failure(path, "is no folder");
    if (this.isSyncLeftOut(`syncDirectory ${path}`)) return;
    const isDurableNow = ({ removed, added }: NameChange): boolean => (added ?? removed)?.folder === folder;
    const durableNow = this.#pendingNames.filter(isDurableNow);
    for (const change of durableNow) applyDurably(change, this.#root);
    // What is known to be at its place is not put back to an earlier one by a change that comes through later.
    const placed = new Set(durableNow.map(({ added }) => added?.node));
    this.#pendingNames = this.#pendingNames.filter(
      (change) => !isDurableNow(change) && !(change.added !== undefined && placed.has(change.added.node)),
    );
    this.onChange(`syncDirectory ${path}`);
  }

  async freeBytes(path: string): Promise<number> {
    this.calls++;
    return this.isFull(`freeBytes ${path}`) ? 0 : 1024 * 1024 * 1024;
  }

  /** What of the page cache may or may not be on the medium at this moment. */
  undecided(): Undecided {
    return { nameChanges: this.#pendingNames.length, files: [...this.#pendingFiles()] };
  }

  /** The disk that a power cut at this moment leaves, by a choice. This one goes on as if nothing had happened. */
  powerCut(choice: Choice): VolatileDisk {
    const kept = this.#pendingNames.filter((_, index) => choice.isNameChangeKept(index));
    const contents = new Map<FileNode, Uint8Array>();
    for (const file of this.#pendingFiles()) contents.set(file, contentAfter(file, choice));
    const copy = new DurableCopy(contents);
    const root = copy.folder(this.#root);
    for (const change of kept) applyDurably(copy.change(change), root);
    const disk = new VolatileDisk();
    disk.#root = startFromDurable(root);
    return disk;
  }

  #pendingFiles(): Set<FileNode> {
    const files = new Set<FileNode>();
    const seen = new Set<Node>();
    const visit = (node: Node): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (node.kind === "directory")
        for (const each of [...node.names.values(), ...node.durable.values()]) visit(each);
      else if (node.pendingSizes.length > 0 || node.pendingSectors.size > 0) files.add(node);
    };
    visit(this.#root);
    for (const { added } of this.#pendingNames) if (added !== undefined) visit(added.node);
    return files;
  }

  /** Every file's path and content as a process sees them. */
  files(): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    const visit = (node: Node, path: string): void => {
      if (node.kind === "file") found.set(path, node.bytes);
      else {
        found.set(`${path}/`, new Uint8Array());
        for (const [name, child] of node.names) visit(child, `${path}/${name}`);
      }
    };
    visit(this.#root, "");
    return found;
  }

  /** @throws OtaError "store/disk-full" if the test says so */
  checkRoom(what: string, path: string): void {
    if (this.isFull(what)) throw noSpace(path);
  }

  #changeNames(change: NameChange): void {
    apply(change, current);
    this.#pendingNames.push(change);
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split("/").filter((each) => each !== "")) {
      node = node?.kind === "directory" ? node.names.get(name) : undefined;
    }
    return node;
  }

  #parent(path: string): { folder: DirectoryNode; name: string } {
    const at = path.lastIndexOf("/");
    const folder = this.#find(path.slice(0, at));
    if (folder?.kind !== "directory") throw failure(path, "has no folder above it");
    return { folder, name: path.slice(at + 1) };
  }
}

class VolatileFile implements DiskFile {
  readonly #disk: VolatileDisk;
  readonly #path: string;
  readonly #node: FileNode;

  constructor(disk: VolatileDisk, path: string, node: FileNode) {
    this.#disk = disk;
    this.#path = path;
    this.#node = node;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#disk.calls++;
    const part = this.#node.bytes.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (bytes.length === 0) return;
    const isFull = this.#disk.isFull(`write ${this.#path}`);
    const written = isFull ? bytes.subarray(0, bytes.length >> 1) : bytes;
    overwrite(this.#node, written, position);
    if (isFull) throw noSpace(this.#path);
    this.#disk.onChange(`write ${this.#path}`);
  }

  async truncate(sizeBytes: number): Promise<void> {
    if (sizeBytes === this.#node.bytes.length) return;
    resize(this.#node, sizeBytes);
    this.#disk.onChange(`truncate ${this.#path}`);
  }

  async sync(): Promise<void> {
    if (this.#disk.isSyncLeftOut(`sync ${this.#path}`)) return;
    // Space may be found missing as late as this.
    this.#disk.checkRoom(`sync ${this.#path}`, this.#path);
    this.#node.durable = this.#node.bytes;
    this.#node.pendingSectors.clear();
    this.#node.pendingSizes.length = 0;
    this.#disk.onChange(`sync ${this.#path}`);
  }

  async close(): Promise<void> {}
}

function newFile(): FileNode {
  const empty = new Uint8Array();
  return { kind: "file", bytes: empty, durable: empty, pendingSectors: new Map(), pendingSizes: [] };
}

function newDirectory(): DirectoryNode {
  return { kind: "directory", names: new Map(), durable: new Map() };
}

function resize(file: FileNode, sizeBytes: number): void {
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(file.bytes.subarray(0, sizeBytes));
  file.bytes = bytes;
  file.pendingSizes.push(sizeBytes);
}

function overwrite(file: FileNode, written: Uint8Array, position: number): void {
  const end = position + written.length;
  const bytes = new Uint8Array(Math.max(file.bytes.length, end));
  bytes.set(file.bytes);
  bytes.set(written, position);
  if (bytes.length > file.bytes.length) file.pendingSizes.push(bytes.length);
  file.bytes = bytes;
  for (let sector = Math.floor(position / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) {
    const versions = file.pendingSectors.get(sector) ?? [];
    versions.push(bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
    file.pendingSectors.set(sector, versions);
  }
}

function contentAfter(file: FileNode, choice: Choice): Uint8Array {
  const sizes = [file.durable.length, ...file.pendingSizes];
  const size = sizes[choice.sizeVersion(file.pendingSizes.length)] ?? 0;
  const bytes = new Uint8Array(size);
  bytes.set(file.durable.subarray(0, size));
  for (const [sector, versions] of file.pendingSectors) {
    const version = choice.sectorVersion(versions.length);
    const kept = version === 0 ? undefined : versions[version - 1];
    const at = sector * SECTOR_BYTES;
    if (kept !== undefined && at < size) bytes.set(kept.subarray(0, size - at), at);
  }
  return bytes;
}

type MapOf = (folder: DirectoryNode) => Map<string, Node>;
const current: MapOf = (folder) => folder.names;
const durable: MapOf = (folder) => folder.durable;

function apply({ added, removed }: NameChange, mapOf: MapOf): void {
  if (removed !== undefined && mapOf(removed.folder).get(removed.name) === removed.node) {
    mapOf(removed.folder).delete(removed.name);
  }
  if (added !== undefined) mapOf(added.folder).set(added.name, added.node);
}

/** Applies a change to what is durable, where an earlier rename of the same node may be missing: it has one name, the latest. */
function applyDurably(change: NameChange, root: DirectoryNode): void {
  const { added } = change;
  if (added !== undefined) removeDurably(root, added.node);
  apply(change, durable);
}

function removeDurably(folder: DirectoryNode, gone: Node): void {
  for (const [name, node] of folder.durable) {
    if (node === gone) folder.durable.delete(name);
    else if (node.kind === "directory") removeDurably(node, gone);
  }
}

/** Copies what is durable, each node once. */
class DurableCopy {
  readonly #folders = new Map<DirectoryNode, DirectoryNode>();
  readonly #files = new Map<FileNode, FileNode>();
  readonly #contents: ReadonlyMap<FileNode, Uint8Array>;

  constructor(contents: ReadonlyMap<FileNode, Uint8Array>) {
    this.#contents = contents;
  }

  folder(original: DirectoryNode): DirectoryNode {
    const known = this.#folders.get(original);
    if (known !== undefined) return known;
    const copy = newDirectory();
    this.#folders.set(original, copy);
    for (const [name, child] of original.durable) copy.durable.set(name, this.node(child));
    return copy;
  }

  node(original: Node): Node {
    if (original.kind === "directory") return this.folder(original);
    const known = this.#files.get(original);
    if (known !== undefined) return known;
    const bytes = this.#contents.get(original) ?? original.durable;
    const copy = { ...newFile(), bytes, durable: bytes };
    this.#files.set(original, copy);
    return copy;
  }

  change({ added, removed }: NameChange): NameChange {
    const half = ({ folder, name, node }: NamedNode): NamedNode => ({
      folder: this.folder(folder),
      name,
      node: this.node(node),
    });
    return { ...(added && { added: half(added) }), ...(removed && { removed: half(removed) }) };
  }
}

/** After a power cut what is durable is what there is. */
function startFromDurable(folder: DirectoryNode): DirectoryNode {
  for (const [name, node] of folder.durable) {
    folder.names.set(name, node);
    if (node.kind === "directory") startFromDurable(node);
  }
  return folder;
}

function failure(path: string, what: string): OtaError {
  return new OtaError("store/io", `${path} ${what}`);
}

function noSpace(path: string): OtaError {
  return new OtaError("store/disk-full", `no space left for ${path}: free some, the agent tries again`);
}
