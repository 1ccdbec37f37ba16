/** What a component's target says in `custom.skerry`: docs/ARCHITECTURE.md, "Image targets" and "Director targets". */

import { isJsonObject } from "./json.ts";
import type { TargetInfo } from "./metadata.ts";
import { readHardware } from "./metadata-fields.ts";

/** The module's release counter; undefined if the target has none. */
export function releaseCounterOf(component: TargetInfo): number | undefined {
  const skerry = component.custom?.["skerry"];
  const release = isJsonObject(skerry) ? skerry["release"] : undefined;
  return typeof release === "number" && release >= 1 ? release : undefined;
}

/**
 * The kinds of hardware that the release is for; undefined for any.
 *
 * @throws OtaError "trust/malformed"
 */
export function hardwareOf(component: TargetInfo): readonly string[] | undefined {
  const skerry = component.custom?.["skerry"];
  return isJsonObject(skerry) ? readHardware(skerry, `${component.path}: custom.skerry`) : undefined;
}
