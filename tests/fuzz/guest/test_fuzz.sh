#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Ten thousand random operations, most of them one after the other against the
# model, the rest all at once: on the stock kernel, which is quick, and on the debug
# kernel, watched by its sanitizers and guided by KCOV.  The operations are the same
# each time, so that a change is what differs; AIF_FUZZ_SEED makes others, and the
# soak takes fresh ones.  Prints TAP.
set -u
cd "$(dirname "$0")/../../.." || exit 1
# shellcheck source=tests/fuzz/guest/boot.sh
. tests/fuzz/guest/boot.sh

seed=${AIF_FUZZ_SEED:-1}
failed=0

fuzz_guest stock 300 --seed "$seed" --ops 6000 --storm 2000 || failed=1
if fuzz_debug_kernel; then
	fuzz_guest debug 600 --seed "$seed" --ops 1500 --storm 500 --guided || failed=1
else
	echo "ok 3 - on the debug kernel # SKIP it has not been built (make debug-kernel)"
fi
exit $failed
