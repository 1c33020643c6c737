#!/bin/bash
# SPDX-License-Identifier: MIT
# A model's two services in the guest, of texts and of token ids, with the real model.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
if ! fetched=$(tools/fetch-model 2>&1); then
	echo "ok 1 - all # SKIP no model: $(tail -n 1 <<<"$fetched")"
	echo "1..1"
	exit
fi
exec tests/guest/run --name cli_ids --timeout 600 --mem 2048 --file tests/cli/tap.sh \
	--file "$(sed -n 's/^model\t//p' <<<"$fetched"):model" \
	--file tests/cli/ids_in_guest -- tests/cli/ids_in_guest
