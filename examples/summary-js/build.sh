#!/bin/sh
# Builds summary-1.0.0.wasm (or what is given) from the sources beside this script. Needs only the packages of `npm ci`.
# It is not kept here: 1.5 MiB, QuickJS for the most part, and no two builds are alike.
set -eu
cd "$(dirname "$0")"
PATH="$PWD/../../node_modules/.bin:$PATH"
wit=$(mktemp --suffix=.wit)
trap 'rm -f "$wit"' EXIT

node ../wit.ts summary.wit > "$wit"
jco componentize summary.js --wit "$wit" --world-name summary \
  --backend qjs --backend-qjs-disable-async --out "${1:-summary-1.0.0.wasm}"
