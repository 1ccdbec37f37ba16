#!/bin/sh
# Rebuilds greedy-1.0.0.wasm beside this script. Needs what ../thermo-c/build.sh needs.
set -eu
cd "$(dirname "$0")"
core=$(mktemp)
trap 'rm -f "$core"' EXIT

clang --target=wasm32-wasi -std=gnu11 -Oz -Wall -Wextra -Werror \
  -Wl,--strip-all -Wl,-z,stack-size=16384 greedy.c -o "$core"
../../node_modules/.bin/node ../component.ts "$core" greedy.wit greedy greedy-1.0.0.wasm
