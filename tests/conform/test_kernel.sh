#!/bin/sh
# SPDX-License-Identifier: MIT
# In one guest: the conformance table against the module, then the examples.  The
# device's queue is made short enough to be filled.
set -eu
cd "$(dirname "$0")/../.."
program=build/tests/conform/test_conform
examples=tests/conform/examples.sh
exec tests/guest/run --name conform --module-args device_requests=48 \
	--file "$program" --file "$examples" -- \
	sh -c "$program --device /dev/aif; a=\$?; sh $examples; exit \$((a | \$?))"
