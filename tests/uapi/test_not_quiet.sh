#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An engine that goes and does not say that it is quiet, in a guest of its own: aif.ko
# stays there, as it must.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
out=$(mktemp) said=$(mktemp)
trap 'rm -f "$out" "$said"' EXIT
tests/guest/run --name uapi_not_quiet --module-args serve_gid=1002 -- \
	build/tests/uapi/test_engine --not-quiet >"$out" 2>"$said"
status=$?
sed '/^1\.\.[0-9]/d' "$out"
sed 's/^/# /' "$said"
if [ $status -eq 122 ] &&
	grep -q 'left behind: module aif cannot be unloaded (the command exited with 0)' "$said"; then
	echo 'ok 2 - aif.ko stays, and nothing else'
	failed=0
else
	echo "not ok 2 - aif.ko stays, and nothing else: status $status"
	failed=1
fi
echo 1..2
exit $failed
