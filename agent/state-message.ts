/** The modules' state as it goes out, within one payload however many modules failed at length. Pure. */
import type { ModuleSnapshot } from "../ota/installer.ts";
import { MAX_MESSAGE_LENGTH, MAX_STATE_MODULES_BYTES } from "./limits.ts";

type Modules = Readonly<Record<string, ModuleSnapshot>>;

/** What of a failure's message is kept: as much as fits, in UTF-16 units. Versions and codes always fit. */
const MESSAGE_LENGTHS = [MAX_MESSAGE_LENGTH, 128, 0] as const;

/** The modules with their failures' messages as long as the payload's bound allows. */
export function boundedModules(modules: Modules): Modules {
  for (const length of MESSAGE_LENGTHS) {
    const shown = withMessages(modules, length);
    if (Buffer.byteLength(JSON.stringify(shown)) <= MAX_STATE_MODULES_BYTES) return shown;
  }
  return withMessages(modules, 0);
}

/** A text of at most so many UTF-16 units; what is left out is marked. */
export function cutText(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}${length === 0 ? "" : "…"}`;
}

function withMessages(modules: Modules, length: number): Modules {
  return Object.fromEntries(
    Object.entries(modules).map(([name, { failed, ...rest }]) => {
      const shown = failed === null ? null : { ...failed, message: cutText(failed.message, length) };
      return [name, { ...rest, failed: shown }];
    }),
  );
}
