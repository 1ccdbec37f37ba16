#!/bin/sh
# Rebuilds alarm-1.0.0.wasm beside this script.
#
# Needs: the packages of `npm ci`, rustc 1.85 or newer with its target wasm32-wasip2, and LLVM's wasm-ld
#   apt-get install rustc libstd-rust-dev-wasm32 lld      (Debian 14; elsewhere rustup target add wasm32-wasip2, and lld)
# The committed file was built with rustc 1.97.1 of Debian and jco 1.35.0.
set -eu
cd "$(dirname "$0")"
core=$(mktemp)
trap 'rm -f "$core"' EXIT

# wasm-ld instead of the target's own linker: it leaves a core module, which component.ts makes a component of.
rustc --target wasm32-wasip2 --edition 2024 -C opt-level=s -C lto -C codegen-units=1 -C strip=symbols \
  -C linker=wasm-ld -C linker-flavor=wasm-ld -C link-arg=-zstack-size=65536 alarm.rs -o "$core"
../../node_modules/.bin/node ../component.ts "$core" alarm.wit alarm alarm-1.0.0.wasm
