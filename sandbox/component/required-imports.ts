/**
 * Whether the host has all that a component imports, decided before any of it runs.
 *
 * Component Model, Explainer.md "Import and Export Definitions"; the host's names are jco's, as host-imports.ts has them.
 */

import type { ComponentDescription } from "./component-type.ts";
import { hostCall, type ImportLookup, importMissing, worldCall } from "./host-imports.ts";

/**
 * Holds what the component imports against what the host has: an import that stands behind a core module in the
 * component must not be found missing after that module's start function ran.
 *
 * @throws ComponentError "component/import-missing", naming all that is missing
 */
export function requireHostImports(wanted: ComponentDescription["imports"], lookup: ImportLookup): void {
  const missing = wanted.flatMap(({ name, sort, functions }) => {
    if (sort === "func") return worldCall(name, lookup) === undefined ? [name] : [];
    const source = { name, value: lookup.find(name) };
    if (source.value === undefined) return functions.length === 0 ? [] : [name];
    return functions.filter((one) => hostCall(one, source) === undefined).map((one) => `${one} of ${name}`);
  });
  if (missing.length > 0) throw importMissing(missing);
}
