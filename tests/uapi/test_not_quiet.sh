#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An engine that goes and does not say that it is quiet, in a guest of its own: aif.ko
# stays there, as it must.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
said=$(mktemp)
trap 'rm -f "$said"' EXIT
tests/guest/run --name uapi_not_quiet --module-args serve_gid=1002 -- \
	build/tests/uapi/test_engine --not-quiet 2>"$said"
status=$?
sed 's/^/# /' "$said"
if [ $status -eq 122 ] && grep -q 'left behind: module aif cannot be unloaded' "$said"; then
	echo 'ok 2 - aif.ko stays, and nothing else'
else
	echo "not ok 2 - aif.ko stays, and nothing else: status $status"
fi
