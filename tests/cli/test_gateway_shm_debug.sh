#!/bin/sh
# SPDX-License-Identifier: MIT
# aif-gateway and memory of other processes, on the kernel that looks for bugs.  Floating
# point takes long there: the service does what its texts say.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/kernel/or_skip gateway_shm tests/guest/run --kernel debug --timeout 900 \
	--name cli_gateway_shm_debug --file tests/cli/tap.sh --file build/tests/gateway/aifd-faulty \
	--file tests/cli/gateway_shm_in_guest \
	-- tests/cli/gateway_shm_in_guest build/tests/gateway/aifd-faulty /tmp 3
