/**
 * Why a connection ended, from what Node, OpenSSL and mqtt.js throw and from MQTT's reason codes (MQTT 5 §2.4; 3.1.1 §3.2.2.3):
 * one code per thing that somebody can do about it. Pure.
 */
import { AgentError, type LinkErrorCode } from "./errors.ts";

/** Where the connection went, for the message. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** System errors of a socket that never reached the broker. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EHOSTDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EADDRNOTAVAIL",
]);

/** Verification errors of OpenSSL that Node passes on by name. */
const CERTIFICATE = /CERT|SELF_SIGNED|ISSUER|_CA$|CRL|HOSTNAME/;

/** An error event of mqtt.js's client as AgentError. */
export function connectionError(error: Error, { host, port }: Endpoint): AgentError {
  const code = "code" in error ? error.code : undefined;
  if (typeof code === "number") return reasonCodeError(code, { host, port });
  const at = `${host}:${port}`;
  const because = { cause: error };
  if (typeof code === "string") {
    if (code === "ETIMEDOUT") return new AgentError("link/timeout", `no answer from ${at}`, because);
    if (UNREACHABLE.has(code) || error instanceof AggregateError) {
      const message = `cannot reach the broker at ${at} (${code}): check [broker] url and the network`;
      return new AgentError("link/unreachable", message, because);
    }
    if (code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS") || CERTIFICATE.test(code)) {
      const message = `TLS with ${at} failed (${code}): ${error.message}; check ca_file, cert_file, key_file and the device's clock`;
      return new AgentError("link/tls", message, because);
    }
    return new AgentError("link/lost", `the connection to ${at} ended (${code})`, because);
  }
  if (/timeout/i.test(error.message)) {
    return new AgentError("link/timeout", `no answer from ${at}: ${error.message}`, because);
  }
  return new AgentError("link/protocol-error", `${at} broke MQTT's rules: ${error.message}`, because);
}

/** A reason code of CONNACK or DISCONNECT as AgentError. */
export function reasonCodeError(reasonCode: number, { host, port }: Endpoint): AgentError {
  const [code, what] = explain(reasonCode);
  return new AgentError(code, `the broker at ${host}:${port} ${what} (reason code ${reasonCode})`);
}

function explain(reasonCode: number): readonly [LinkErrorCode, string] {
  switch (reasonCode) {
    case 1: // 3.1.1: unacceptable protocol version
    case 0x84:
      return ["link/protocol-version", "does not speak this version of MQTT"];
    case 4: // 3.1.1: bad user name or password
    case 5: // 3.1.1: not authorized
    case 0x86:
    case 0x87:
    case 0x8c:
      return ["link/not-authorized", "refused this device: check username, password_file or the certificate"];
    case 0x8e:
      return ["link/session-taken-over", "has another client with this device's id: check id"];
    case 0x81:
    case 0x82:
    case 0x93:
    case 0x94:
      return ["link/protocol-error", "says that this device broke MQTT's rules"];
    case 0x95:
      return ["link/payload-too-large", "takes no message of that size"];
    case 0x8d:
      return ["link/timeout", "did not hear from this device in time"];
    case 0x8b:
      return ["link/lost", "is shutting down"];
    default:
      return ["link/refused", "refused or ended the connection"];
  }
}
