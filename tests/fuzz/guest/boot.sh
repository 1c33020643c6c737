# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by test_fuzz.sh and soak: the fuzzer in a guest with limits so small
# that they are reached.

FUZZ_LIMITS="serve_gid=1002 tenant_by_uid=1 max_depth=64 max_buffers=8 max_grants=8 \
max_services=4 tenant_requests=12 device_requests=10 tenant_bytes=262144 tenant_pinned=65536 service_bytes=131072"

# The debug kernel and its module are there.
fuzz_debug_kernel() {
	[ -x tests/kernel/debug ] && tests/kernel/debug --have >/dev/null 2>&1
}

# A guest on a kernel ("stock", or what --kernel takes), the fuzzer's options.  Its
# log's name is FUZZ_NAME where two run at once.
fuzz_guest() { # KERNEL TIMEOUT FUZZ-OPTION...
	local kernel=$1 timeout=$2 which=()
	shift 2
	[ "$kernel" = stock ] || which=(--kernel "$kernel")
	tests/guest/run --name "fuzz_${FUZZ_NAME:-$kernel}" --timeout "$timeout" "${which[@]}" \
		--module-args "$FUZZ_LIMITS" --file build/tests/fuzz/guest/fuzz -- \
		build/tests/fuzz/guest/fuzz "$@"
}
