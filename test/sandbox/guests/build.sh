#!/bin/sh
# Builds files.wasm and libc.wasm from their sources, in a root file system of Debian forky (about 1.6 GB) that this makes
# with mmdebstrap in the folder named by the first argument, unless it is there already. Needs root.
#
# With: rustc 1.9x and libstd-rust-dev-wasm32, clang and wasi-libc of forky, wasm-tools 1.239 (files.wasm);
# jco of this project (the preview-1 adapter of libc.wasm).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${1:?usage: build.sh FOLDER}
packages=rustc,libstd-rust-dev-wasm32,lld,clang,wasi-libc,libclang-rt-dev-wasm32,wasm-tools
if [ ! -x "$root/usr/bin/rustc" ]; then
  mmdebstrap --aptopt='Acquire::Check-Valid-Until "false"' --variant=minbase --include="$packages" forky "$root"
fi
work=$root/tmp/guests
mkdir -p "$work"
cp "$here/files.rs" "$here/libc.c" "$work"
# files.wasm without names of functions, to be small; libc.wasm with them, for the stack of its trap.
chroot "$root" rustc --edition 2021 --target wasm32-wasip2 -C opt-level=s -C lto -C panic=abort -C strip=symbols \
  -C linker=wasm-ld -C linker-flavor=wasm-ld /tmp/guests/files.rs -o /tmp/guests/files.core.wasm
chroot "$root" wasm-tools component new /tmp/guests/files.core.wasm -o /tmp/guests/files.wasm
chroot "$root" clang --target=wasm32-wasi -Os -g0 /tmp/guests/libc.c -o /tmp/guests/libc.core.wasm
cp "$work/files.wasm" "$here/files.wasm"
"$here/../../../node_modules/.bin/jco" new "$work/libc.core.wasm" --wasi-command -o "$work/libc.debug.wasm"
chroot "$root" wasm-tools strip /tmp/guests/libc.debug.wasm -o /tmp/guests/libc.wasm
cp "$work/libc.wasm" "$here/libc.wasm"
ls -l "$here"/*.wasm
