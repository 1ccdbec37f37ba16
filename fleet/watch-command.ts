/** `skerry watch` */

import {
  BROKER_OPTIONS,
  BROKER_USAGE,
  brokerAddressOf,
  type CommandCall,
  type FleetCommand,
  REPOSITORY_OPTIONS,
  REPOSITORY_USAGE,
  repositoryOf,
} from "./command-line.ts";
import type { DeviceEvent } from "./device-messages.ts";
import { type FleetNews, watchFleet } from "./watch.ts";

export const watchCommand: FleetCommand = {
  usage: `usage: skerry watch [--json] [options]

Follows the fleet's events, a line each, until Ctrl-C.

  --json                 one JSON object per line
${REPOSITORY_USAGE}${BROKER_USAGE}`,
  options: { json: { type: "boolean" }, ...REPOSITORY_OPTIONS, ...BROKER_OPTIONS },
  positionals: [],
  run: runWatch,
};

async function runWatch(call: CommandCall): Promise<number> {
  const { stdout, stderr } = call.io;
  const repository = await repositoryOf(call);
  const address = await brokerAddressOf(call, repository);
  const format = call.flag("json") ? newsJson : newsLine;
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.on("SIGINT", onInterrupt);
  try {
    await watchFleet(repository, address, {
      onNews: (news) => stdout.write(`${format(news)}\n`),
      onConnected: () =>
        stderr.write(`watching fleet "${repository.settings.fleet}" on ${address.url}; Ctrl-C ends\n`),
      onDisconnected: ({ code }) =>
        stderr.write(`The connection to ${address.url} ended (${code}); connecting again\n`),
      signal: call.io.signal ?? interrupt.signal,
    });
  } finally {
    process.off("SIGINT", onInterrupt);
  }
  return 0;
}

/** In ASCII: what a device writes into an event may hold characters that a terminal obeys, and JSON escapes those below U+0020 only. */
function newsJson(news: FleetNews): string {
  const json = JSON.stringify(
    news.kind === "event"
      ? { ...news.event.json, device: news.device }
      : { ...news.status, device: news.device },
  );
  return json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function newsLine({ device, ...news }: FleetNews): string {
  if (news.kind === "status") {
    return [news.status.time ?? "", device, news.status.status].join("  ");
  }
  const { time, module, version, event, code, message } = news.event;
  const release = [module, version].filter((part) => part !== null).join("@");
  const parts = [time ?? "", device, release, event, progress(news.event), code, message];
  return parts.filter((part) => part !== null && part !== "").join("  ");
}

function progress({ event, json }: DeviceEvent): string | null {
  const { received, total } = json;
  if (event !== "progress" || typeof received !== "number" || typeof total !== "number" || total <= 0)
    return null;
  return `${Math.floor((100 * received) / total)} %`;
}
