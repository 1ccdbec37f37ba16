#!/bin/sh
# Rebuilds heater-1.0.0.wasm beside this script.
#
# Needs what ../thermo-c/build.sh needs. `-mexec-model=reactor`: functions to call instead of a main.
# The committed file was built with Debian 12's clang 14.0.6 and wasi-libc 0.0~git20220510, and jco 1.35.0.
set -eu
cd "$(dirname "$0")"
core=$(mktemp)
trap 'rm -f "$core"' EXIT

clang --target=wasm32-wasi -mexec-model=reactor -std=gnu11 -Oz -Wall -Wextra -Werror \
  -Wl,--strip-all -Wl,-z,stack-size=16384 heater.c -o "$core"
../../node_modules/.bin/node ../component.ts "$core" heater.wit heater heater-1.0.0.wasm
