# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# TAP for the runner's tests: source it, report, finish.

set -uo pipefail

guest=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for those who source this
tree=$(cd "$guest/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
count=0 failed=0

# Report one test; what differs goes to standard error.
is() { # NAME EXPECTED ACTUAL
	count=$((count + 1))
	if [[ $2 == "$3" ]]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		printf '# expected: %q\n# got:      %q\n' "$2" "$3" >&2
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
