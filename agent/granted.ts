/** What the policy's decision on a module's request comes to: its grants, or a refusal by the code of what is missing. */
import type { GrantDecision, Grants } from "../devices/grants.ts";
import { OtaError } from "../ota/errors.ts";

/**
 * @param name the module with its version
 * @throws OtaError "stage/memory-exceeds-grant" where nothing else is missing, otherwise "stage/import-not-granted"
 */
export function requireGranted(name: string, decision: GrantDecision): Grants {
  if (decision.kind === "granted") return decision.grants;
  const { refusals } = decision;
  const code = refusals.every(({ capability }) => capability === "memory")
    ? "stage/memory-exceeds-grant"
    : "stage/import-not-granted";
  throw new OtaError(code, `${name}: ${refusals.map(({ message }) => message).join("; ")}`);
}
