#!/bin/sh
# SPDX-License-Identifier: MIT
# aif-gateway and memory of other processes, on the kernel that looks for bugs.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/kernel/or_skip gateway_shm tests/cli/test_gateway_shm.sh --kernel debug --timeout 900 \
	--name cli_gateway_shm_debug
