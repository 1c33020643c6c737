#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [libFuzzer option...]: fuzzes the descriptor checks with the program
# beside this script's copy under build/ and prints TAP with executions and edges
# (some of them lead to sanitizers' reports, and stay unseen).  Without options:
# 50,000 executions, the same each time.
set -u

here=$(dirname "$0")
[ $# -gt 0 ] || set -- -runs=50000 -seed=1

echo "1..1"
if [ ! -x "$here/fuzz_desc" ]; then
	echo "ok 1 - fuzz desc # SKIP clang with its fuzzer is missing (Debian: clang, libclang-rt-dev)"
	exit 0
fi

log=$("$here/fuzz_desc" -max_len=128 -use_value_profile=1 -print_final_stats=1 \
	-artifact_prefix="$here/" "$@" 2>&1)
status=$?
number() {
	printf '%s\n' "$log" | sed -n "s/$1/\\1/p" | tail -n 1
}
executions=$(number '^stat::number_of_executed_units: *\([0-9]*\)$')
edges=$(number '^#.* cov: \([0-9]*\) .*')
all=$(number '^INFO: Loaded 1 modules *(\([0-9]*\) inline 8-bit counters).*')
services=$(number '^accepted: \([0-9]*\) services.*')
requests=$(number '^accepted: .* \([0-9]*\) requests$')

if [ "$status" -ne 0 ] || [ "${services:-0}" -eq 0 ] || [ "${requests:-0}" -eq 0 ]; then
	printf '%s\n' "$log" | tail -n 40 | sed 's/^/# /'
	echo "not ok 1 - fuzz desc: status $status, accepted ${services:-0} services and" \
		"${requests:-0} requests"
	exit 1
fi
echo "# accepted $services service descriptions and $requests requests"
echo "ok 1 - fuzz desc: $executions executions, $edges of $all edges of kmod/core/aif_desc.c"
