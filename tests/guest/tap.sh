# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# TAP for the runner's tests: source it, boot, report, finish.
#
# Guests boot two at a time, in the background: start them all with `boot`, `wait`,
# and then report what came of them.

set -uo pipefail

guest=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for those who source this
tree=$(cd "$guest/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
count=0 failed=0

# Run COMMAND... in the background, when fewer than two do; its outputs and its
# status are in $tmp/NAME.out, .err and .status.
background() { # NAME COMMAND...
	local name=$1
	shift
	while (($(jobs -pr | wc -l) >= 2)); do wait -n; done
	{
		"$@" >"$tmp/$name.out" 2>"$tmp/$name.err"
		echo $? >"$tmp/$name.status"
	} <&0 &
}

# Boot a guest with these arguments of the runner.
boot() { # NAME ARGUMENT...
	background "$1" "$guest/run" --name "test_runner/$1" "${@:2}"
}

out() { cat "$tmp/$1.out"; }
err() { cat "$tmp/$1.err"; }
status() { cat "$tmp/$1.status"; }

# Use a copy of the runner in a tree of its own, which takes trouble.ko for our
# module; fails when that has not been built for this kernel.
borrow_runner() { # RELEASE
	local trouble=$tree/build/tests/guest/trouble-$1/trouble.ko
	[[ $(modinfo -F vermagic "$trouble" 2>/dev/null) == "$1 "* ]] || return
	mkdir -p "$tmp/tree/tests" "$tmp/tree/build/kmod-$1"
	cp -r "$guest" "$tmp/tree/tests/guest"
	cp "$trouble" "$tmp/tree/build/kmod-$1/aif.ko"
	guest=$tmp/tree/tests/guest
}

# Report one test; what differs goes to standard error.
is() { # NAME EXPECTED ACTUAL
	count=$((count + 1))
	if [[ $2 == "$3" ]]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		printf '# expected: %q\n# got:      %q\n' "$2" "${3:0:2000}" >&2
		failed=$((failed + 1))
	fi
}

has() { # NAME PART TEXT
	if [[ $3 == *"$2"* ]]; then
		is "$1" "" ""
	else
		is "$1" "... $2 ..." "$3"
	fi
}

skip() { # NAME REASON
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

finish() {
	echo "1..$count"
	exit $((failed > 0))
}
