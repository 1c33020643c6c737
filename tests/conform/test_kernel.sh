#!/bin/sh
# SPDX-License-Identifier: MIT
# The conformance table against the module, in a guest.  The device's queue is made
# short enough to be filled.
set -eu
cd "$(dirname "$0")/../.."
program=build/tests/conform/test_conform
exec tests/guest/run --name conform --module-args device_requests=48 --file "$program" -- \
	"$program" --device /dev/aif
