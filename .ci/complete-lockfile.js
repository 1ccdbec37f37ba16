// Run after `npm install` changed package-lock.json, where the registry at hand lacks some packages for other platforms: npm leaves
// those out of the lock file, and `npm ci` then refuses it. Adds an entry for each optional dependency that is missing, with
// its exact version and platform, so that npm knows it and passes it over. Usage: node .ci/complete-lockfile.js
import { readFileSync, writeFileSync } from "node:fs";

const path = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8"));
const { packages } = lock;
const SYSTEMS = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const PROCESSORS = [
  "arm64",
  "arm",
  "ia32",
  "loong64",
  "mips64el",
  "ppc64",
  "riscv64",
  "s390x",
  "x64",
  "wasm32",
];

for (const [parent, entry] of Object.entries(packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const version = /^[~^]?(\d+\.\d+\.\d+\S*)$/.exec(range)?.[1];
    const locked = lockedFrom(parent, name);
    if (version === undefined || packages[locked]?.version === version || (locked && range !== version))
      continue;
    const words = name.split(/[-/]/);
    const os = SYSTEMS.filter((system) => words.includes(system));
    const cpu = PROCESSORS.filter((processor) => words.includes(processor));
    if (os.length === 0 && cpu.length === 0) throw new Error(`${name}: no platform in its name`);
    // Another version stands where npm would find it: this one goes below its parent.
    packages[locked === undefined ? `node_modules/${name}` : `${parent}/node_modules/${name}`] = {
      version,
      ...(cpu.length === 0 ? {} : { cpu }),
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
      ...(os.length === 0 ? {} : { os }),
      ...(words.includes("musl") ? { libc: ["musl"] } : {}),
    };
    console.log(`added ${name}@${version}`);
  }
}
const root = packages[""];
const rest = Object.entries(packages).filter(([key]) => key !== "");
lock.packages = {
  "": root,
  ...Object.fromEntries(rest.toSorted(([left], [right]) => (left < right ? -1 : 1))),
};
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);

/** Where npm would find the package from `parent`: in its own node_modules or in one above; undefined if nowhere. */
function lockedFrom(parent, name) {
  for (let folder = parent; ; ) {
    const place = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (packages[place] !== undefined) return place;
    if (folder === "") return undefined;
    const above = folder.lastIndexOf("/node_modules/");
    folder = above < 0 ? "" : folder.slice(0, above);
  }
}
