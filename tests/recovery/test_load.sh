#!/bin/sh
# SPDX-License-Identifier: MIT
# Ledgers of clients whose executors are killed at random; unloading in a hurry.
# Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/guest/run --name recovery_load --module-args serve_gid=1002 --timeout 300 \
	--file tests/recovery/in_guest --file build/tests/recovery/test_load \
	--file build/tests/recovery/test_unload -- \
	tests/recovery/in_guest "test_load --door ioctl" "test_load --door ring" test_unload
