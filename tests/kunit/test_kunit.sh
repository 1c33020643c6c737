#!/bin/sh
# SPDX-License-Identifier: MIT
# The module's KUnit suites, on the debug kernel.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1

# shellcheck disable=SC2046 # names, several
exec tests/kernel/or_skip "the module's KUnit suites" tests/guest/run --name kunit --kernel debug --append kunit.enable=1 --timeout 600 \
	--file tests/kunit -- tests/kunit/in_guest \
	$(sed -n 's/^\t\.name = "\(aif_[a-z_]*\)",$/\1/p' kmod/tests/*_kunit.c)
