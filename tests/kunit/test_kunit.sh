#!/bin/sh
# SPDX-License-Identifier: MIT
# The module's KUnit suites, on the debug kernel.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1

tests/kernel/debug --have >/dev/null 2>&1 || {
	echo "ok 1 - the module's KUnit suites # SKIP the debug kernel is not built (make module-debug)"
	echo 1..1
	exit 0
}
# shellcheck disable=SC2046 # names, several
exec tests/guest/run --name kunit --kernel debug --append kunit.enable=1 --timeout 600 \
	--file tests/kunit -- tests/kunit/in_guest \
	$(sed -n 's/^\t\.name = "\(aif_[a-z_]*\)",$/\1/p' kmod/tests/*_kunit.c)
