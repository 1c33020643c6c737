#!/bin/sh
# SPDX-License-Identifier: MIT
# aif-gateway behind /dev/aif of the kernel that looks for bugs.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/kernel/or_skip gateway tests/cli/test_gateway.sh --kernel debug --timeout 900 \
	--name cli_gateway_debug
