#!/bin/bash
# SPDX-License-Identifier: MIT
# aif embed, search and run through /dev/aif in the guest, with the real model.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
if ! fetched=$(tools/fetch-model 2>&1); then
	echo "ok 1 - all # SKIP no model: $(tail -n 1 <<<"$fetched")"
	echo "1..1"
	exit
fi
exec tests/guest/run --name cli_device --timeout 600 --mem 2048 --file tests/cli/tap.sh \
	--file "$(sed -n 's/^model\t//p' <<<"$fetched"):model" \
	--file build/tests/cli/terminal --file /lib/terminfo/l/linux:terminfo/l/linux \
	--file tests/cli/device_in_guest -- tests/cli/device_in_guest
