#!/bin/sh
# SPDX-License-Identifier: MIT
# aifd in the guest: workers that die, hang and drain.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/guest/run --name cli_aifd --timeout 300 --module-args serve_gid=1002 --file tests/cli/tap.sh \
	--file tests/cli/aifd_in_guest -- tests/cli/aifd_in_guest
