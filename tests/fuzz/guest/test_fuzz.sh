#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Ten thousand random operations against the model, on the stock kernel and (where
# it has been built) on the debug kernel, guided by its coverage.  The seed is a
# fresh one each time, or AIF_FUZZ_SEED's.  Prints TAP.
set -u
cd "$(dirname "$0")/../../.." || exit 1
# shellcheck source=tests/fuzz/guest/boot.sh
. tests/fuzz/guest/boot.sh

seed=${AIF_FUZZ_SEED:-$RANDOM$RANDOM}
fuzz_guest stock 300 "" --seed "$seed" --ops 7000
