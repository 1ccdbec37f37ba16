/**
 * One writer of the repository folder at a time: a lock file that names its owner. A lock whose process has
 * ended (same machine, no such process) is taken over; one from another machine (a shared folder) is not,
 * since nobody here can tell.
 */

import { open, readFile, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { FleetError } from "./errors.ts";
import { ioError, systemCode } from "./files.ts";

const LOCK_FILE = ".skerry.lock";

interface Owner {
  readonly host: string;
  readonly pid: number;
}

/** Runs `work` as the folder's only writer; throws FleetError "fleet/locked" if there is one already. */
export async function withRepositoryLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK_FILE);
  await acquire(path);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string): Promise<void> {
  if (await create(path)) return;
  const content = await readLock(path);
  const owner = parseOwner(content);
  if (owner !== undefined && hasEnded(owner)) {
    await removeStale(path, content);
    if (await create(path)) return;
  }
  const who = owner === undefined ? "somebody" : `process ${owner.pid} on ${owner.host}`;
  throw new FleetError(
    "fleet/locked",
    `${who} is writing this repository: wait until it is done, or if that is long over, delete ${path}`,
  );
}

async function create(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    try {
      await file.writeFile(JSON.stringify({ host: hostname(), pid: process.pid }));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw ioError("create", path, error);
  }
}

/**
 * Moves the lock aside, and back if in between another process had replaced it: two may find it stale at
 * once.
 */
async function removeStale(path: string, content: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
    if ((await readLock(aside)) === content) await rm(aside, { force: true });
    else await rename(aside, path);
  } catch (error) {
    // Another process was faster.
    if (systemCode(error) !== "ENOENT") throw ioError("remove", path, error);
  }
}

async function readLock(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw ioError("read", path, error);
  }
}

function parseOwner(content: string): Owner | undefined {
  try {
    const parsed: unknown = JSON.parse(content);
    if (typeof parsed !== "object" || parsed === null || !("host" in parsed) || !("pid" in parsed))
      return undefined;
    const { host, pid } = parsed;
    return typeof host === "string" && Number.isSafeInteger(pid) ? { host, pid: Number(pid) } : undefined;
  } catch {
    // Its owner is between creating and writing it.
    return undefined;
  }
}

function hasEnded(owner: Owner): boolean {
  if (owner.host !== hostname()) return false;
  if (owner.pid === process.pid) return false;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === "ESRCH";
  }
}
