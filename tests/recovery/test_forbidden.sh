#!/bin/sh
# SPDX-License-Identifier: MIT
# Where io_uring is forbidden, all that goes by ioctl works as ever.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/guest/run --name recovery_forbidden --module-args serve_gid=1002 --timeout 600 \
	--file tests/recovery/in_guest --file build/tests/recovery/test_states \
	--file build/tests/recovery/test_recovery --file build/tests/recovery/test_misuse -- \
	'echo 2 >/proc/sys/kernel/io_uring_disabled &&
	exec tests/recovery/in_guest test_states test_recovery test_misuse'
