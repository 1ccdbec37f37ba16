/**
 * What mqtt.js, TLS and sockets report, turned into FleetError: by reason code (MQTT 5.0 §2.4) or system
 * error code.
 */

import type { BrokerAddress } from "./broker.ts";
import { FleetError } from "./errors.ts";

/** CONNACK and acknowledgement codes: MQTT 3.1.1 §3.2.2.3 below 128, MQTT 5.0 §2.4 from there. */
const UNACCEPTABLE_PROTOCOL_VERSION = 1;
const UNSUPPORTED_PROTOCOL_VERSION = 0x84;
const NOT_AUTHORIZED = 0x87;
const REFUSED_CREDENTIALS: ReadonlySet<number | string> = new Set([4, 5, 0x86, NOT_AUTHORIZED, 0x8a, 0x8c]);

/** What the subscription of MQTT 3.1.1 is answered with when it is refused. */
const SUBSCRIBE_FAILURE = 0x80;

/**
 * Whether the broker may be one that has no MQTT 5: it says so, answers with something that MQTT 5 does not
 * have, or hangs up. Where the cause is another one, the second attempt fails with it.
 */
export function isVersionRefusal(error: unknown): boolean {
  const code = codeOf(error);
  if (code === UNACCEPTABLE_PROTOCOL_VERSION || code === UNSUPPORTED_PROTOCOL_VERSION) return true;
  return code === undefined;
}

/** The FleetError for a connection that did not come about. */
export function connectionError(error: unknown, address: BrokerAddress): FleetError {
  const code = codeOf(error);
  const reason = error instanceof Error ? error.message : String(error);
  if (code !== undefined && REFUSED_CREDENTIALS.has(code)) {
    const who = address.username === undefined ? "without a user name" : `as user "${address.username}"`;
    return new FleetError(
      "fleet/broker-refused",
      `${address.url} refused us ${who} (${reason}): check ${address.username === undefined ? "--username" : "user name"}, password and client certificate`,
      { cause: error },
    );
  }
  if (isTlsCode(code)) {
    return new FleetError(
      "fleet/broker-tls",
      `TLS with ${address.url} failed (${reason}): check the certificate authority (--cafile), the broker's name in its certificate, and our certificate`,
      { cause: error },
    );
  }
  if (reason === "connack timeout") {
    const message = `${address.url} takes connections but does not answer: is it an MQTT broker?`;
    return new FleetError("fleet/broker-timeout", message, { cause: error });
  }
  return new FleetError(
    "fleet/broker-unreachable",
    `Cannot connect to ${address.url} (${reason === "" ? String(code) : reason}): check the address and that the broker runs`,
    { cause: error },
  );
}

/** The FleetError for an operation that the broker refused, or that broke. */
export function operationError(
  error: unknown,
  operation: { readonly what: string; readonly topic: string; readonly username: string | undefined },
): FleetError {
  if (error instanceof FleetError) return error;
  const code = codeOf(error);
  const reason = error instanceof Error ? error.message : String(error);
  if (code === NOT_AUTHORIZED || code === SUBSCRIBE_FAILURE) {
    const who = operation.username === undefined ? "anybody" : `user "${operation.username}"`;
    return new FleetError(
      "fleet/broker-denied",
      `The broker does not allow ${who} to ${operation.what}: check its access control (fleet/mosquitto.acl is an example)`,
      { cause: error },
    );
  }
  return new FleetError("fleet/broker-lost", `Could not ${operation.what}: ${reason}`, { cause: error });
}

function codeOf(error: unknown): number | string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "number" || typeof code === "string" ? code : undefined;
}

function isTlsCode(code: number | string | undefined): boolean {
  return (
    typeof code === "string" &&
    /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_OSSL)|_CERT|EPROTO/.test(code)
  );
}
