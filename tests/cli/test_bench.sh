#!/bin/bash
# SPDX-License-Identifier: MIT
# aif bench broker in this process.  What it measures through /dev/aif: test_probe.sh.  Prints TAP.

cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
aif=$PWD/build/aif
bench=(timeout 60 "$aif" bench broker --device local -n 64)

for doors in "ioctl ioctl" "spin ioctl" "ioctl spin"; do
	# shellcheck disable=SC2086 # two words
	set -- $doors
	try "${bench[@]}" --depth 4 --bytes 5000 --client "$1" --executor "$2"
	is "client $1, executor $2" "0 transport local (local), client $1, executor $2, depth 4, 5000 bytes, 16 rounds" \
		"$status ${out%%$'\n'*}$err"
done
try "${bench[@]}" --json
is "JSON: rounds and depth" "0 64 1" \
	"$status $(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["rounds"], d["depth"])' <<<"$out")"

# No ring door there; each side says so before anybody waits for it.
refused="aif bench broker: local has no ring door here: ioctl and spin do without"
try "${bench[@]}" --client uring --executor ioctl
is "a client in a ring" "1 $refused" "$status $err"
try "${bench[@]}" --client ioctl --executor uring
is "an executor in a ring" "1 $refused" "$status $err"

try "${bench[@]}" --client door
is "an unknown door" "2 aif bench broker: 'door' is not ioctl, uring or spin" "$status ${err%%$'\n'*}"
try "$aif" bench broker --device "$tmp/none"
is "no module" "1 aif bench broker: $tmp/none-serve: no such device: is the module loaded? \`aif probe\` tells" \
	"$status $err"

finish
