/** What goes into a package, whatever its format. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Architecture } from "./layout.ts";

export interface PackageContent {
  /** The folder with the files as they lie on a device (layout.ts). */
  readonly tree: string;
  readonly architecture: Architecture;
  /** Semver. */
  readonly version: string;
  /** The time that files carry, in seconds since 1970. */
  readonly epochSeconds: number;
}

export interface BuiltPackage {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Runs a program that builds packages. Throws Error with what it said where it fails. */
export async function runTool(program: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(program, [...args]);
}
