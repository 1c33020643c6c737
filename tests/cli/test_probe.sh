#!/bin/sh
# SPDX-License-Identifier: MIT
# aif probe and aif bench: every cause by itself, in the guest.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/guest/run --name cli_probe --timeout 300 --file tests/cli/tap.sh \
	--file tests/cli/probe_in_guest -- tests/cli/probe_in_guest
