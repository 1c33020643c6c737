#!/bin/sh
# SPDX-License-Identifier: MIT
# What only rings can do, with every kind of ring.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/guest/run --name recovery_rings --module-args serve_gid=1002 --timeout 600 \
	--file tests/recovery/in_guest --file build/tests/recovery/test_rings -- \
	tests/recovery/in_guest "test_rings --door ring" "test_rings --door async" \
	"test_rings --door sqpoll" "test_rings --door defer" "test_rings --door coop"
