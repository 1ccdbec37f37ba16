/**
 * The staging check: whether a release can run on this device, decided before a line of it runs.
 *
 * Its manifest's requests against the policy, its component against the binary format and the validation rules, its imports against
 * what is granted, its exports against its world, the types of both against the host's. Loads the component's code sections only, and drops them when it is done.
 */
import {
  asksForNetwork,
  decideGrants,
  type GrantDecision,
  type GrantRequest,
  grantedCodeBytes,
} from "../devices/grants.ts";
import type { DevicePolicy } from "../devices/policy.ts";
import { OtaError, type StageErrorCode } from "../ota/errors.ts";
import type { Manifest } from "../ota/manifest.ts";
import { formatSize } from "../ota/units.ts";
import { componentCodeBytes } from "../sandbox/component/code-size.ts";
import type { ComponentDescription } from "../sandbox/component/component-type.ts";
import { ComponentError, type ComponentErrorCode } from "../sandbox/component/errors.ts";
import { checkCoreModules, compileComponent } from "../sandbox/component/index.ts";
import { checkExports, hasExport, planImports } from "../sandbox/imports.ts";
import type { ModuleGrants } from "../sandbox/module-spec.ts";
import type { Misfit } from "../sandbox/signatures/check.ts";
import { readComponentFile } from "../sandbox/strip.ts";
import { requireGranted } from "./granted.ts";
import { MAX_STAGED_COMPONENT_BYTES, STAGED_SLACK_BYTES } from "./limits.ts";

/** Throws OtaError "stage/…" for a release that must not be started here. */
export async function checkStaged(
  manifest: Manifest,
  componentPath: string,
  policy: DevicePolicy,
): Promise<void> {
  const name = `${manifest.name}@${manifest.version}`;
  const decision = decideGrants(policy, manifest.name, manifest.request);
  const { description, misfit } = await examine(name, componentPath, {
    codeBytes: grantedCodeBytes(policy, manifest.name),
    memoryBytes: manifest.request.memoryBytes,
  });
  checkImports(name, description.imports, grantedPart(manifest.request, decision), decision);
  requireGranted(name, decision);
  const [missing] = checkExports(description.exports, manifest.world);
  if (missing !== undefined) {
    throw refusal(
      "stage/export-missing",
      `${name} does not export ${missing}, which the world "${manifest.world}" of its manifest demands: correct the manifest or the build`,
    );
  }
  if (misfit !== undefined) throw refusal(`stage/${misfit.kind}`, `${name} ${misfit.message}`);
  if (
    manifest.request.subscribe.length > 0 &&
    !hasExport(description.exports, "skerry:module/message-handler")
  ) {
    throw refusal(
      "stage/export-missing",
      `${name} asks to be told "${manifest.request.subscribe[0]}" and does not export skerry:module/message-handler, which it would be told by: export it, or take subscribe out of the manifest`,
    );
  }
}

/** @param room what the module may have of code, and of memory, which its data has to fit in */
async function examine(
  name: string,
  componentPath: string,
  room: { readonly codeBytes: number; readonly memoryBytes: number },
): Promise<{ readonly description: ComponentDescription; readonly misfit: Misfit | undefined }> {
  // Neither more than the module could ever use, nor more than a device can hold.
  const maxBytes = Math.min(
    room.codeBytes + room.memoryBytes + STAGED_SLACK_BYTES,
    MAX_STAGED_COMPONENT_BYTES,
  );
  try {
    const component = compileComponent(await readComponentFile(componentPath, { maxBytes }));
    requireCodeWithin(name, componentCodeBytes(component), room.codeBytes);
    checkCoreModules(component);
    const { findMisfits } = await import("../sandbox/signatures/check.ts");
    const [misfit] = await findMisfits(component.definition);
    return { description: component.description, misfit };
  } catch (error) {
    if (!(error instanceof ComponentError)) throw error;
    throw refusal(STAGE_CODES[error.code], `${name}: ${error.message}`, error);
  }
}

function requireCodeWithin(name: string, codeBytes: number, grantedBytes: number): void {
  if (codeBytes <= grantedBytes) return;
  throw refusal(
    "stage/code-exceeds-grant",
    `${name} has ${formatSize(codeBytes)} of code and is granted ${formatSize(grantedBytes)}: raise code in its [[grant]], or build it smaller`,
  );
}

const STAGE_CODES: Readonly<Record<ComponentErrorCode, StageErrorCode>> = {
  "component/not-a-component": "stage/not-a-component",
  "component/malformed": "stage/component-invalid",
  "component/invalid": "stage/component-invalid",
  "component/unsupported": "stage/unsupported",
  "component/limit-exceeded": "stage/component-invalid",
  "component/import-missing": "stage/import-unknown",
  "component/export-missing": "stage/export-missing",
};

/** An import is named by itself even where the manifest's request was refused already: it is what the author has to change. */
function checkImports(
  name: string,
  imports: readonly { readonly name: string }[],
  grants: ModuleGrants,
  decision: GrantDecision,
): void {
  const { missing } = planImports(imports, grants);
  const unknown = missing.find(({ reason }) => reason === "unknown");
  if (unknown !== undefined) throw refusal("stage/import-unknown", `${name} ${unknown.message}`);
  const [first] = missing;
  if (first === undefined) return;
  const refusals = decision.kind === "refused" ? decision.refusals.map(({ message }) => message) : [];
  const why = refusals.length === 0 ? "" : ` (${refusals.join("; ")})`;
  throw refusal("stage/import-not-granted", `${name} ${first.message}${why}`);
}

/** What is left of a request without the names that were refused. */
function grantedPart(request: GrantRequest, decision: GrantDecision): ModuleGrants {
  if (decision.kind === "granted") return decision.grants;
  const { refusals } = decision;
  if (refusals.some(({ capability }) => capability === "module"))
    return { sensors: [], serial: [], publish: [] };
  const without = (capability: string, names: readonly string[]): readonly string[] =>
    names.filter(
      (one) => !refusals.some((refused) => refused.capability === capability && refused.name === one),
    );
  return {
    sensors: without("sensor", request.sensor),
    serial: without("serial", request.serial),
    publish: without("publish", request.publish),
    storageBytes: refusals.some(({ capability }) => capability === "storage") ? 0 : request.storageBytes,
    // What of it is refused is named by the refusal; the interfaces themselves were asked for.
    ...(asksForNetwork(request) ? { network: { connect: [], listen: [] } } : {}),
  };
}

function refusal(code: StageErrorCode, message: string, cause?: unknown): OtaError {
  return new OtaError(code, message, cause === undefined ? {} : { cause });
}
