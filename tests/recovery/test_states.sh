#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of either side in every state, by every door.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/guest/run --name recovery_states --module-args serve_gid=1002 --timeout 600 \
	--file tests/recovery/in_guest --file build/tests/recovery/test_states -- \
	tests/recovery/in_guest "test_states --door ioctl" "test_states --door ring" \
	"test_states --door defer" "test_states --door sqpoll"
