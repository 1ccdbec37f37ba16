/** The agent's version, as the status topic and `skerry --version` say it; a test holds it against package.json. */
export const VERSION = "0.1.0";

/** Put in by build.ts; sources that run as they are were not built. */
declare const SKERRY_BUILT_MS: number | undefined;

/** When it was built, in milliseconds since 1970: it is not earlier than that. */
export const BUILT_MS = typeof SKERRY_BUILT_MS === "number" ? SKERRY_BUILT_MS : 0;
