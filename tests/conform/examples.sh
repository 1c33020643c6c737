#!/bin/sh
# SPDX-License-Identifier: MIT
# In a guest: do the examples do what they say?
set -u
examples=build/runtime/examples
work=$(mktemp -d)
count=0
failed=0

is() { # NAME EXPECTED ACTUAL
	count=$((count + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $count - examples: $1"
	else
		printf 'not ok %s - examples: %s\n# expected: %s\n# got:      %s\n' \
			"$count" "$1" "$2" "$3"
		failed=1
	fi
}

chain() {
	head -c 100000 "$examples/ring_chain" >"$work/in"
	"$examples/ring_chain" "$work/in" "$work/out" >"$work/said"
	is "ring_chain reads, infers and writes" 0 $?
	cmp -s "$work/in" "$work/out"
	is "ring_chain's copy is the same" 0 $?
	is "ring_chain says how much" "100000 bytes read, 100000 produced, 100000 written" \
		"$(cat "$work/said")"

	head -c 1100000 /dev/zero >"$work/in"
	is "ring_chain says when the service refuses" \
		"ring_chain: infer: out of range, or not what the service's description says" \
		"$("$examples/ring_chain" "$work/in" "$work/out" 2>&1)"
}

mkfifo "$work/ready"
"$examples/echo_executor" >"$work/ready" &
executor=$!
read -r line <"$work/ready"
is "the echo executor says when it is ready" ready "$line"

is "raw_client gets its text back" "guten Tag" "$("$examples/raw_client" "guten Tag" 2>/dev/null)"
is "raw_client finds no service of another owner" 1 \
	"$("$examples/raw_client" text 4711 >/dev/null 2>&1; echo $?)"

if [ "$(cat /proc/sys/kernel/io_uring_disabled)" = 2 ]; then
	count=$((count + 1))
	echo "ok $count - examples: ring_chain # SKIP io_uring is forbidden here"
else
	chain
fi

kill -TERM "$executor"
wait "$executor"
is "the echo executor drains and ends well" 0 $?
is "nobody is there any more" 1 "$("$examples/raw_client" text >/dev/null 2>&1; echo $?)"

rm -rf "$work"
echo "1..$count"
exit "$failed"
