#!/bin/sh
# SPDX-License-Identifier: MIT
# aif-gateway and memory of other processes, with a real model.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
model=$(tools/fetch-model | sed -n 's/^model\t//p')
[ -n "$model" ] || { echo "1..1"; echo "ok 1 - gateway_shm # SKIP the model cannot be fetched"; exit 0; }
exec tests/guest/run --name cli_gateway_shm --mem 2048 --timeout 400 --file tests/cli/tap.sh \
	--file "$model:/aif/model" --file tests/cli/gateway_shm_in_guest \
	-- env AIF_CPU_ISA=portable tests/cli/gateway_shm_in_guest aifd /aif/model 4
