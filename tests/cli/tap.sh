# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# TAP for sh, busybox's included: source it, report, finish.

tap_count=0
tap_failed=0

# Report one test; what differs goes to standard error.
is() { # NAME EXPECTED ACTUAL
	tap_count=$((tap_count + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tap_count - $1"
	else
		echo "not ok $tap_count - $1"
		printf '# expected: %s\n# got:      %s\n' "$2" "$3" >&2
		tap_failed=$((tap_failed + 1))
	fi
}

has() { # NAME PART TEXT
	case $3 in
	*"$2"*) is "$1" "" "" ;;
	*) is "$1" "... $2 ..." "$3" ;;
	esac
}

# A command's status and what it wrote, in $status, $out, $err.
# shellcheck disable=SC2034 # for those who source this
try() { # COMMAND...
	status=0
	"$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	out=$(cat "$tmp/out") err=$(cat "$tmp/err")
}

# Until COMMAND succeeds; says so if it never does.
until_ok() { # SECONDS COMMAND...
	tap_tries=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		tap_tries=$((tap_tries - 1))
		[ "$tap_tries" -gt 0 ] || { echo "# never: $*" >&2; return 1; }
		sleep 0.1
	done
}

skip() { # NAME REASON
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

finish() {
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
