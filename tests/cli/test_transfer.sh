#!/bin/sh
# SPDX-License-Identifier: MIT
# aif transfer in the guest.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/guest/run --name cli_transfer --timeout 300 --file tests/cli/tap.sh \
	--file tests/cli/transfer_in_guest -- tests/cli/transfer_in_guest
