#!/bin/sh
# Rebuilds modbus-1.0.0.wasm beside this script. Needs only the packages of `npm ci`.
#
# WASI is stubbed out: the module needs nothing of it, and so imports nothing but what its world says. (A call of
# console.log or Date.now would trap; leave --backend-qjs-stub-wasi away to have them.)
# Two builds differ in a few bytes: the snapshot of the started interpreter holds a random seed.
set -eu
cd "$(dirname "$0")"
PATH="$PWD/../../node_modules/.bin:$PATH"
wit=$(mktemp --suffix=.wit)
trap 'rm -f "$wit"' EXIT

node ../wit.ts modbus.wit > "$wit"
jco componentize modbus.js --wit "$wit" --world-name modbus \
  --backend qjs --backend-qjs-disable-async --backend-qjs-stub-wasi --out modbus-1.0.0.wasm
