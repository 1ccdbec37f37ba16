#!/usr/bin/env bash
# Runs the demo against a Mosquitto of its own on a free port of 127.0.0.1; CI runs it beside the demo on the embedded broker.
set -eu
cd "$(dirname "$0")/../.."
PATH="$PATH:/usr/sbin"
folder=$(mktemp -d)
port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$port" >"$folder/mosquitto.conf"
mosquitto -c "$folder/mosquitto.conf" >"$folder/log" 2>&1 &
broker=$!
trap 'kill "$broker"; wait "$broker" || true; rm -rf "$folder"' EXIT
npm run --silent demo -- --broker "mqtt://127.0.0.1:$port" "$@"
