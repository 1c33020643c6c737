# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by test_fuzz.sh and soak: the fuzzer in a guest with limits so small
# that they are reached.

FUZZ_LIMITS="serve_gid=1002 tenant_by_uid=1 max_depth=64 max_buffers=8 max_grants=8
	max_services=4 tenant_requests=12 device_requests=10 tenant_bytes=262144
	service_bytes=131072"

fuzz_guest() { # NAME TIMEOUT RUN-OPTIONS FUZZ-OPTION...
	local name=$1 timeout=$2 options=$3
	shift 3
	# shellcheck disable=SC2086 # options, and none of them has blanks
	tests/guest/run --name "fuzz_$name" --timeout "$timeout" $options \
		--module-args "${FUZZ_LIMITS//[$'\n\t']/ }" --file build/tests/fuzz/guest/fuzz -- \
		build/tests/fuzz/guest/fuzz "$@"
}
