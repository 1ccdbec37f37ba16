/**
 * Who made what is in a package, and under which terms: Skerry's licence, and those of the npm packages whose code is in the bundles, which ask
 * for their text to go along. Not in Debian's machine-readable format, which would have to sort licences that only their texts tell.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
/** Debian's packages refer to the text that every Debian system has; on others it lies beside the copyright file. */
const APACHE_TERMS = /Apache License\s+Version 2\.0, January 2004[\s\S]*?END OF TERMS AND CONDITIONS/;
const APACHE_REFERENCE =
  "[The Apache License, Version 2.0: /usr/share/common-licenses/Apache-2.0, or the file LICENSE beside this one.]";
const RULE = "-".repeat(80);

/** The text of the copyright file, for the folders of the npm packages. Throws Error for a package that does not say its licence. */
export async function copyrightText(packageFolders: readonly string[]): Promise<string> {
  const parts = [
    `Skerry: over-the-air update agent for small Linux devices

Copyright: the Skerry maintainers
License: Apache-2.0
${APACHE_REFERENCE}

The bundles contain code of the following packages of npm.
`,
  ];
  for (const folder of packageFolders) parts.push(await packagePart(folder));
  return parts.join(`\n${RULE}\n`);
}

async function packagePart(folder: string): Promise<string> {
  const about: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const { name, version, license } = about as Record<string, unknown>;
  if (typeof license !== "string") throw new Error(`${folder}: its package.json names no licence`);
  const files = (await readdir(folder)).filter((file) => LICENCE_FILE.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  const terms = texts.map((text) => `${text.trim().replace(APACHE_TERMS, APACHE_REFERENCE)}\n`);
  return [`${name} ${version}, License: ${license}\n`, ...terms].join("\n");
}
