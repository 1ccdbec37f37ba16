/**
 * Commands to this device (docs/ARCHITECTURE.md, "Topics"): reading a request, building its reply. The broker's access control says who may
 * send one; none of them can install anything.
 */
import type { ModuleSnapshot } from "../ota/installer.ts";
import { isModuleName } from "../ota/names.ts";
import { type AgentOwnErrorCode, messageOf } from "./errors.ts";
import { MAX_COMMAND_BYTES, MAX_COMMAND_ID_LENGTH } from "./limits.ts";
import { boundedModules } from "./state-message.ts";
import { VERSION } from "./version.ts";

type Command =
  | { readonly command: "ping" }
  | { readonly command: "state" }
  | { readonly command: "restart"; readonly module: string };

/** `id` comes back in the reply, so that an operator without MQTT 5 can tell which request it answers. */
type CommandRead =
  | { readonly kind: "command"; readonly id: string; readonly command: Command }
  | { readonly kind: "refused"; readonly id: string; readonly message: string };

/** Narrows a message on the command topic. */
function readCommand(payload: Uint8Array): CommandRead {
  if (payload.byteLength > MAX_COMMAND_BYTES) {
    return { kind: "refused", id: "", message: `a command has at most ${MAX_COMMAND_BYTES} bytes` };
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    return { kind: "refused", id: "", message: `a command is a JSON object: ${messageOf(error)}` };
  }
  if (typeof value !== "object" || value === null) {
    return { kind: "refused", id: "", message: "a command is a JSON object" };
  }
  const id = "id" in value && typeof value.id === "string" ? value.id.slice(0, MAX_COMMAND_ID_LENGTH) : "";
  const refused = (message: string): CommandRead => ({ kind: "refused", id, message });
  const name: unknown = "command" in value ? value.command : undefined;
  switch (name) {
    case "ping":
    case "state":
      return { kind: "command", id, command: { command: name } };
    case "restart": {
      const module: unknown = "module" in value ? value.module : undefined;
      if (typeof module !== "string" || !isModuleName(module)) {
        return refused('restart takes "module": "publisher/name"');
      }
      return { kind: "command", id, command: { command: name, module } };
    }
    default:
      return refused('"command" is one of ping, state, restart');
  }
}

/** What a command needs of the agent. */
export interface Commandable {
  snapshot(): Readonly<Record<string, ModuleSnapshot>>;
  /** False if the module has nothing that could be restarted. */
  restart(module: string): boolean;
}

/** Carries a command out and gives the reply's payload. */
export function answerCommand(payload: Uint8Array, agent: Commandable): string {
  const read = readCommand(payload);
  if (read.kind === "refused") {
    return replyText(read.id, { ok: false, code: "agent/command-malformed", message: read.message });
  }
  switch (read.command.command) {
    case "ping":
      return replyText(read.id, { ok: true, result: { agent: VERSION } });
    case "state":
      return replyText(read.id, { ok: true, result: { modules: boundedModules(agent.snapshot()) } });
    case "restart": {
      const { module } = read.command;
      if (agent.restart(module)) return replyText(read.id, { ok: true, result: {} });
      const message = `${module} is not committed here, or another version of it is on trial: see its state`;
      return replyText(read.id, { ok: false, code: "agent/not-restartable", message });
    }
  }
}

/** The payload of a reply. */
export function replyText(
  id: string,
  outcome:
    | { readonly ok: true; readonly result: unknown }
    | { readonly ok: false; readonly code: AgentOwnErrorCode; readonly message: string },
): string {
  return JSON.stringify({ id, ...outcome });
}
