/** `wasi:config/store` (0.2.0-rc.1): the values of the module's manifest, with those of the device's owner in their place. */

import type { ModuleSession } from "../module-session.ts";

export function createConfig(session: ModuleSession, values: Readonly<Record<string, string>>) {
  return {
    get(key: string): string | undefined {
      session.enterHost();
      return Object.hasOwn(values, key) ? values[key] : undefined;
    },
    getAll(): [string, string][] {
      session.enterHost();
      return Object.entries(values);
    },
  };
}
