/**
 * How to reach the broker and what to show it. Files are read anew for each connection, so a renewed certificate or password needs no
 * restart.
 */
import { open } from "node:fs/promises";
import type { TlsMaterial } from "./connection-types.ts";
import { AgentError, messageOf } from "./errors.ts";
import { MAX_PASSWORD_BYTES, MAX_PEM_BYTES } from "./limits.ts";

/** The broker and the files that hold this device's credentials, as absolute paths. */
export interface BrokerAccess {
  readonly host: string;
  readonly port: number;
  /** TLS; without it the three PEM files are unused. */
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly passwordFile: string | undefined;
  /** Authorities to trust instead of those that Node brings. */
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keepaliveSeconds: number;
}

export interface Credentials {
  readonly password: string | undefined;
  readonly tls: TlsMaterial | undefined;
}

/**
 * Reads the files.
 *
 * @throws AgentError `link/credentials-unreadable` that names the file
 */
export async function readCredentials(access: BrokerAccess): Promise<Credentials> {
  const { passwordFile, caFile, certFile, keyFile } = access;
  const password = await readBounded(passwordFile, MAX_PASSWORD_BYTES);
  const tls = access.tls
    ? {
        ca: await readBounded(caFile, MAX_PEM_BYTES),
        cert: await readBounded(certFile, MAX_PEM_BYTES),
        key: await readBounded(keyFile, MAX_PEM_BYTES),
      }
    : undefined;
  // Editors end a file with a newline that is no part of the password.
  return { password: password?.toString("utf8").replace(/\r?\n$/, ""), tls };
}

async function readBounded(path: string | undefined, maxBytes: number): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
    return await file.readFile();
  } catch (error) {
    const message = `cannot read ${path}: ${messageOf(error)}`;
    throw new AgentError("link/credentials-unreadable", message, { cause: error });
  }
}
