#!/bin/sh
# SPDX-License-Identifier: MIT
# aif-gateway and memory of other processes, on the kernel that looks for bugs.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
tests/kernel/debug --have >/dev/null 2>&1 || {
	echo "ok 1 - gateway_shm # SKIP the debug kernel is not built (make module-debug)"
	echo 1..1
	exit 0
}
exec tests/cli/test_gateway_shm.sh --kernel debug --timeout 900 --name cli_gateway_shm_debug
