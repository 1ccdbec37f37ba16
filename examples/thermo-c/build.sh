#!/bin/sh
# Rebuilds thermo-1.0.0.wasm, thermo-1.1.0.wasm and thermo-1.2.0.wasm beside this script.
#
# Needs: the packages of `npm ci`, and from Debian 12 (others: the same by their names)
#   apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
# The committed files were built with Debian 12's clang 14.0.6 and wasi-libc 0.0~git20220510, and jco 1.35.0.
set -eu
cd "$(dirname "$0")"
core=$(mktemp)
trap 'rm -f "$core"' EXIT

build() { # version minor
  clang --target=wasm32-wasi -std=gnu11 -Oz -Wall -Wextra -Werror \
    -DTHERMO_VERSION="\"$1\"" -DTHERMO_MINOR="$2" \
    -Wl,--strip-all -Wl,-z,stack-size=16384 thermo.c -o "$core"
  ../../node_modules/.bin/node ../component.ts "$core" thermo.wit thermo "thermo-$1.wasm"
}

build 1.0.0 0
build 1.1.0 1
build 1.2.0 2
