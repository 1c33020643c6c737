#!/bin/bash
# SPDX-License-Identifier: MIT
# A model's two services in the guest, of texts and of token ids, with the real model.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/cli/with_model --name cli_ids --timeout 600 --mem 2048 --file tests/cli/tap.sh \
	--file tests/cli/ids_in_guest -- tests/cli/ids_in_guest
