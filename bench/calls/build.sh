#!/bin/sh
# Rebuilds calls.wasm (the component) beside this script.
#
# Needs: the packages of `npm ci`, and from Debian 12 (others: the same by their names): apt-get install clang lld
# The committed file was built with Debian 12's clang 14.0.6 and jco 1.35.0.
set -eu
cd "$(dirname "$0")"
core=$(mktemp)
trap 'rm -f "$core"' EXIT

clang --target=wasm32 -std=gnu11 -O2 -Wall -Wextra -Werror -nostdlib \
  -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=4096 calls.c -o "$core"
CORE="$core" ../../node_modules/.bin/node --input-type=module <<'END'
import { readFileSync, writeFileSync } from "node:fs";
import { componentEmbed, componentNew } from "@bytecodealliance/jco";

const witSource = readFileSync("calls.wit", "utf8");
const typed = await componentEmbed({ binary: readFileSync(process.env.CORE), witSource, world: "bench" });
writeFileSync("calls.wasm", await componentNew(typed, []));
END
