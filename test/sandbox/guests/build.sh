#!/bin/sh
# Builds files.wasm, sockets.wasm, libc.wasm and http.wasm from their sources, in a root file system of Debian forky (about 1.6 GB) that this makes
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
cp "$here/files.rs" "$here/sockets.rs" "$here/libc.c" "$here/http.c" "$here/http.wit" "$work"
# Rust's without names of functions, to be small; libc.wasm with them, for the stack of its trap.
for guest in files sockets; do
  chroot "$root" rustc --edition 2021 --target wasm32-wasip2 -C opt-level=s -C lto -C panic=abort -C strip=symbols \
    -C linker=wasm-ld -C linker-flavor=wasm-ld "/tmp/guests/$guest.rs" -o "/tmp/guests/$guest.core.wasm"
  chroot "$root" wasm-tools component new "/tmp/guests/$guest.core.wasm" -o "/tmp/guests/$guest.wasm"
done
chroot "$root" clang --target=wasm32 -Os -nostdlib -ffreestanding -fno-builtin -Wl,--no-entry -Wl,--strip-all \
  /tmp/guests/http.c -o /tmp/guests/http.core.wasm
chroot "$root" wasm-tools component embed /tmp/guests/http.wit -w http /tmp/guests/http.core.wasm -o /tmp/guests/http.embed.wasm
chroot "$root" wasm-tools component new /tmp/guests/http.embed.wasm -o /tmp/guests/http.wasm
chroot "$root" clang --target=wasm32-wasi -Os -g0 /tmp/guests/libc.c -o /tmp/guests/libc.core.wasm
cp "$work/files.wasm" "$work/sockets.wasm" "$work/http.wasm" "$here"
"$here/../../../node_modules/.bin/jco" new "$work/libc.core.wasm" --wasi-command -o "$work/libc.debug.wasm"
chroot "$root" wasm-tools strip /tmp/guests/libc.debug.wasm -o /tmp/guests/libc.wasm
cp "$work/libc.wasm" "$here/libc.wasm"
ls -l "$here"/*.wasm
