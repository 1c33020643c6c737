#!/bin/sh
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/../.." || exit 1
exec tests/kernel/or_skip "edu, debug kernel" tests/uapi/test_edu.sh debug
