/**
 * One agent per state folder: two would run every module twice and clean up each other's versions.
 *
 * The claim is a Unix socket in the folder that somebody listens on. Whether its owner lives is the kernel's knowledge, so that
 * nothing stale (a killed agent, a power cut, a reused process id) ever keeps a device's agent from starting.
 */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { AgentError, messageOf } from "./errors.ts";

const SOCKET = "agent.sock";

export interface Claim {
  /** Lets another agent have the folder. */
  release(): Promise<void>;
}

/**
 * Claims a state folder, which exists. Where no socket can be made (a full disk, a path that is too long) the agent runs without a
 * claim, with a warning: a device must not stay down for it.
 *
 * @throws AgentError "agent/already-running"
 */
export async function claimStateDir(stateDir: string, warn: (message: string) => void): Promise<Claim> {
  const path = join(stateDir, SOCKET);
  if (await isAnswered(path)) {
    const message = `another agent runs on ${stateDir}: stop it first, or give this one another state_dir`;
    throw new AgentError("agent/already-running", message);
  }
  const server = createServer((socket) => socket.destroy());
  try {
    await rm(path, { force: true });
    server.listen(path);
    await once(server, "listening");
  } catch (error) {
    warn(`cannot see to it that no other agent uses ${stateDir}: ${messageOf(error)}`);
    return { release: async () => undefined };
  }
  // It keeps no process alive; what fails on it later concerns a client that has no business there.
  server.unref();
  server.on("error", () => undefined);
  return {
    async release() {
      server.close();
      await once(server, "close");
    },
  };
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    // Nobody listens, or there is no socket: it can be claimed.
    return false;
  } finally {
    socket.destroy();
  }
}
