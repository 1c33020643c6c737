#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Ten thousand random operations: most on the stock kernel, the rest all at once
# on the debug kernel, watched by its sanitizers.  One after the other against the
# model they run there in the soak only: the debug kernel is so slow that what dies
# at an episode's end is seen in more orders than the model knows.  The operations are the same each time, so that a change is what differs;
# AIF_FUZZ_SEED makes others, and the soak takes fresh ones.  Prints TAP.
set -u
cd "$(dirname "$0")/../../.." || exit 1
# shellcheck source=tests/fuzz/guest/boot.sh
. tests/fuzz/guest/boot.sh

seed=${AIF_FUZZ_SEED:-1}
failed=0

fuzz_guest stock 200 --seed "$seed" --ops 7000 --storm 2000 || failed=1
if fuzz_debug_kernel; then
	fuzz_guest debug 400 --seed "$seed" --ops 0 --storm 1000 || failed=1
else
	echo "ok 3 - on the debug kernel # SKIP it has not been built (make debug-kernel)"
fi
exit $failed
