#!/bin/sh
# SPDX-License-Identifier: MIT
# What needs nothing of the module but that its group may serve.
set -eu
# shellcheck source=tests/uapi/boot.sh
. "$(dirname "$0")/boot.sh"
boot serve_gid=1002 test_nodes test_echo test_abi test_identity test_grants test_maps test_toctou \
	test_many test_sched test_memory test_storm
