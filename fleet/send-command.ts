/** `skerry send` */

import { isDeviceId, isModuleName } from "../ota/names.ts";
import {
  BROKER_OPTIONS,
  BROKER_USAGE,
  brokerAddressOf,
  type CommandCall,
  count,
  type FleetCommand,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import { FleetError } from "./errors.ts";
import { MAX_MESSAGE_PATH_BYTES, MAX_MODULE_MESSAGE_BYTES } from "./limits.ts";
import { type ModuleMessage, sendMessage } from "./send.ts";

export const sendCommand: FleetCommand = {
  usage: `usage: skerry send DEVICE MODULE TOPIC [PAYLOAD|-] [options]

Sends a message to a module, whose on-message gets it as message/TOPIC, and waits until the module has dealt with it:
skerry send pi-01 acme/heater setpoint 21.5

  PAYLOAD                the message; - reads it from standard input; without it the message is empty
${REPOSITORY_USAGE}${BROKER_USAGE}`,
  options: { ...REPOSITORY_OPTIONS, ...BROKER_OPTIONS },
  positionals: ["the device", "the module (publisher/name)", "the topic"],
  optionalPositionals: 1,
  run: runSend,
};

/** No empty level, no wildcard, no control character (MQTT 5.0 §4.7). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const PATH = /^[^#+/\u0000-\u001f\u007f-\u009f]+(?:\/[^#+/\u0000-\u001f\u007f-\u009f]+)*$/;

async function runSend(call: CommandCall): Promise<number> {
  const [device = "", module = "", path = "", text] = call.positionals;
  if (!isDeviceId(device)) throw new FleetError("fleet/usage", `"${device}" is no device's id`);
  if (!isModuleName(module)) throw new FleetError("fleet/usage", `"${module}" is no module: publisher/name`);
  checkPath(path);
  const repository = await repositoryOf(call);
  const address = await brokerAddressOf(call, repository);
  const message: ModuleMessage = { device, module, path, payload: await payloadOf(call, text) };
  const outcome = await sendMessage(repository, address, message);
  const size = count(message.payload.byteLength, "byte");
  call.io.stdout.write(
    outcome === "handled"
      ? `${device}: ${module} took message/${path} (${size})\n`
      : `${device}: message/${path} (${size}) is with the broker, which speaks MQTT 3.1.1: there is no answer\n`,
  );
  return 0;
}

function checkPath(path: string): void {
  if (path.startsWith("message/")) {
    const rest = path.slice("message/".length);
    throw new FleetError("fleet/usage", `the topic stands for what follows "message/": write "${rest}"`);
  }
  if (!PATH.test(path) || Buffer.byteLength(path) > MAX_MESSAGE_PATH_BYTES) {
    const rule = `at most ${MAX_MESSAGE_PATH_BYTES} bytes, without wildcards, control characters and empty levels`;
    throw new FleetError("fleet/usage", `"${path}" is no topic: ${rule}`);
  }
}

async function payloadOf(call: CommandCall, text: string | undefined): Promise<Uint8Array> {
  const payload = text === "-" ? await readAll(call.io.stdin ?? process.stdin) : Buffer.from(text ?? "");
  if (payload.byteLength > MAX_MODULE_MESSAGE_BYTES) {
    const message = `a message to a module has at most ${MAX_MODULE_MESSAGE_BYTES} bytes`;
    throw new FleetError("fleet/usage", message);
  }
  return payload;
}

/** Stops reading beyond the bound, which the caller reports. */
async function readAll(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of input) {
    pieces.push(piece);
    sizeBytes += piece.byteLength;
    if (sizeBytes > MAX_MODULE_MESSAGE_BYTES) break;
  }
  return Buffer.concat(pieces);
}
