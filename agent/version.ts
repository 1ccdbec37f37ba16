/** The agent's version, as the status topic and `skerry --version` say it; a test holds it against package.json. */
export const VERSION = "0.1.0";
