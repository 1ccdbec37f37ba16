/** The files that device.toml names: there, readable, and secrets not for everybody. */

import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { AgentError } from "./errors.ts";

/** A file that the configuration names. */
export interface NamedFile {
  /** Absolute. */
  readonly path: string;
  /** `secret`: readable, and not by everybody. `folder`: a writable folder, or one that can be made. */
  readonly use: "readable" | "secret" | "folder";
  /** A message with file, line and key; `what` says what is wrong. */
  complain(what: string): string;
}

const READABLE_BY_OTHERS = 0o004;

/**
 * Checks them all.
 *
 * @throws AgentError `config/file-missing` or `config/file-permission`: the first one's code, a line for each
 */
export async function checkConfigFiles(files: readonly NamedFile[]): Promise<void> {
  const problems: AgentError[] = [];
  for (const file of files) {
    const problem = file.use === "folder" ? await checkFolder(file) : await checkFile(file);
    if (problem !== undefined) problems.push(problem);
  }
  const [first] = problems;
  if (first === undefined) return;
  throw new AgentError(first.code, problems.map(({ message }) => message).join("\n"));
}

async function checkFile({ path, use, complain }: NamedFile): Promise<AgentError | undefined> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) {
      return new AgentError("config/file-missing", complain(`names ${path}, which is no file`));
    }
    await access(path, constants.R_OK);
    if (use === "secret" && (stats.mode & READABLE_BY_OTHERS) !== 0) {
      const what = `names ${path}, which everybody can read: chmod o-rwx ${path}`;
      return new AgentError("config/file-permission", complain(what));
    }
    return undefined;
  } catch (error) {
    return isMissing(error)
      ? new AgentError("config/file-missing", complain(`names ${path}, which does not exist`))
      : new AgentError("config/file-permission", complain(`names ${path}, which cannot be read`), {
          cause: error,
        });
  }
}

/** The folder itself, or the nearest one above that exists: there it will be made. */
async function checkFolder({ path, complain }: NamedFile): Promise<AgentError | undefined> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      if (!(await stat(folder)).isDirectory()) {
        return new AgentError("config/file-missing", complain(`names ${folder}, which is no folder`));
      }
      await access(folder, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      if (isMissing(error) && folder !== dirname(folder)) continue;
      const what = `cannot be used: no permission to write in ${folder}`;
      return new AgentError("config/file-permission", complain(what), { cause: error });
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
