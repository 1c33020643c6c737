#!/bin/sh
# SPDX-License-Identifier: MIT
# aif-gateway behind /dev/aif: tenants, a hang-up, a worker's death, a drain.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/guest/run --name cli_gateway --timeout 400 "$@" --file tests/cli/tap.sh \
	--file build/tests/gateway/aifd-faulty \
	--file tests/cli/gateway_in_guest -- tests/cli/gateway_in_guest
