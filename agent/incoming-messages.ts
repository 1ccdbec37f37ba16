/**
 * A message of the operator's to a module: handed to the router, and answered, if the sender asked for that as MQTT 5 does
 * (§4.10): with the same payload as a command's reply, on the device's own reply topic.
 */
import { TokenBucket } from "../sandbox/token-bucket.ts";
import { replyText } from "./commands.ts";
import { MAX_LOST_MESSAGES_PER_MINUTE } from "./limits.ts";
import type { Link } from "./link-types.ts";
import type { Log } from "./log.ts";
import type { MessageRouter, RoutedDelivery } from "./message-router.ts";

/** Takes the messages that the link brings. */
export function routeMessages(link: Link, router: MessageRouter, log: Log): void {
  const perMinute = MAX_LOST_MESSAGES_PER_MINUTE;
  const remarks = new TokenBucket(perMinute / 60, perMinute, performance.now());
  link.onMessage(({ module, path, payload, responseTopic, correlationData }) => {
    // Not waited for: a module that takes its time must not hold up the link.
    void router.send(module, path, payload).then((delivery) => {
      if (isLost(delivery) && remarks.take(1, performance.now())) {
        log("warning", `message/${path} was not delivered: ${delivery.message}`, { module });
      }
      if (responseTopic !== link.topics.reply) return;
      link.publish("event", link.topics.reply, answerText(delivery), correlationData);
    });
  });
}

type Lost = RoutedDelivery & { readonly kind: "not-running" | "not-granted" | "refused" };

/** Neither taken by the module nor counted by one of its limits. */
function isLost(delivery: RoutedDelivery): delivery is Lost {
  return ["not-running", "not-granted", "refused"].includes(delivery.kind);
}

function answerText(delivery: RoutedDelivery): string {
  switch (delivery.kind) {
    case "handled":
      return replyText("", { ok: true, result: {} });
    case "failed":
      return replyText("", { ok: false, code: "agent/message-failed", message: delivery.message });
    case "dropped":
      return replyText("", {
        ok: false,
        code: "agent/message-dropped",
        message: `${delivery.code}: ${delivery.message}`,
      });
    case "ended":
      return replyText("", {
        ok: false,
        code: "agent/message-dropped",
        message: "the module ended before it had dealt with the message",
      });
    case "not-running":
    case "not-granted":
    case "refused":
      return replyText("", { ok: false, code: "agent/message-undeliverable", message: delivery.message });
  }
}
