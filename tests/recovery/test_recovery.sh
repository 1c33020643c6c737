#!/bin/sh
# SPDX-License-Identifier: MIT
# Death and recovery, misuse, cancel and expiry, by every door.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
set --
for door in ioctl ring async defer sqpoll; do
	set -- "$@" "test_recovery --door $door" "test_misuse --door $door"
done
exec tests/guest/run --name recovery --module-args serve_gid=1002 --timeout 600 \
	--file tests/recovery/in_guest --file build/tests/recovery/test_recovery \
	--file build/tests/recovery/test_misuse -- tests/recovery/in_guest "$@"
