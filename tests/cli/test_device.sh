#!/bin/bash
# SPDX-License-Identifier: MIT
# aif embed, search and run through /dev/aif in the guest, with the real model.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/cli/with_model --name cli_device --timeout 600 --mem 2048 --file tests/cli/tap.sh \
	--file build/tests/cli/terminal --file /lib/terminfo/l/linux:terminfo/l/linux \
	--file tests/cli/device_in_guest -- tests/cli/device_in_guest
