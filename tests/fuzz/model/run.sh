#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [libFuzzer option...]: fuzzes what the model room parses with the programs
# beside this script's copy under build/ and prints TAP with executions and edges.
# Without options: 50,000 executions each, the same each time.
set -u

here=$(dirname "$0")
[ $# -gt 0 ] || set -- -runs=50000 -seed=1
n=0

number() {
	printf '%s\n' "$log" | sed -n "s/$1/\\1/p" | tail -n 1
}

# fuzz NAME SEED-INPUT [libFuzzer option...]
fuzz() {
	name=$1
	n=$((n + 1))
	if [ ! -x "$here/fuzz_$name" ]; then
		echo "ok $n - fuzz $name # SKIP clang with its fuzzer is missing (Debian: clang, libclang-rt-dev)"
		return
	fi
	corpus=$(mktemp -d)
	# shellcheck disable=SC2059 # the seed is a format: it has escapes
	printf "$2" >"$corpus/seed"
	shift 2
	log=$("$here/fuzz_$name" -dict="$here/$name.dict" -max_len=512 -use_value_profile=1 \
		-print_final_stats=1 -artifact_prefix="$here/" "$@" "$corpus" 2>&1)
	status=$?
	rm -rf "$corpus"
	accepted=$(number '^accepted: \([0-9]*\)$')
	if [ "$status" -ne 0 ] || [ "${accepted:-0}" -lt 100 ]; then
		printf '%s\n' "$log" | tail -n 40 | sed 's/^/# /'
		echo "not ok $n - fuzz $name: status $status, accepted ${accepted:-0}"
		return
	fi
	echo "ok $n - fuzz $name: $(number '^stat::number_of_executed_units: *\([0-9]*\)$')" \
		"executions, $accepted accepted," \
		"$(number '^#.* cov: \([0-9]*\) .*') of" \
		"$(number '^INFO: Loaded 1 modules *(\([0-9]*\) inline 8-bit counters).*') edges"
}

echo 1..2
fuzz safetensors '\002\040{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"I64","shape":[1],"data_offsets":[24,32]}}' "$@"
fuzz wordpiece '\010ab abc, \316\261\314\201 [MASK] \344\270\255!' "$@"
