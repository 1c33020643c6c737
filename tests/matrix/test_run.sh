#!/bin/bash
# SPDX-License-Identifier: MIT
# The matrix where Debian offers no newer kernel, and where it does.  Prints TAP.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/../cli/tap.sh" || exit
tree=$(cd "$(dirname "$0")/../.." && pwd)

# A tree whose Debians have one kernel, and no compiler.
mkdir -p "$tmp/tests/matrix"
cp "$tree/tests/matrix/run" "$tmp/tests/matrix/run"
cat >"$tmp/tests/matrix/chroot" <<-'END'
	#!/bin/sh
	case "$*" in
	--can) ;;
	*headers*) cat newest ;;
	*) echo "no compiler"; exit 1 ;;
	esac
END
chmod +x "$tmp/tests/matrix/chroot"

echo 6.12.9-amd64 >"$tmp/newest"
try "$tmp/tests/matrix/run" newest
is "no newer kernel: it fails" 1 "$status"
has "no newer kernel: it says so" "the newest kernel is 6.12.9-amd64, which is 6.12's" "$out"
has "no newer kernel: that row failed" "matrix: failed: newest" "$out"
try "$tmp/tests/matrix/run" 6.12
has "6.12 is not the newest" "ring door open" "$out"
echo 7.1.2-amd64 >"$tmp/newest"
try "$tmp/tests/matrix/run" newest
has "a newer kernel is built for" "7.1.2-amd64, ring door open" "$out"
has "its build's failure is one" "does not build cleanly against 7.1.2-amd64" "$out"
finish
