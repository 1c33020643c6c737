#!/bin/bash
# SPDX-License-Identifier: MIT
# What needs limits small enough to be exhausted.
set -eu
# shellcheck source=tests/uapi/boot.sh
. "$(dirname "$0")/boot.sh"
out=$(mktemp) && trap 'rm -f "$out"' EXIT
failed=0
set -o pipefail
boot "serve_gid=1002 tenant_by_uid=1 max_depth=64 max_buffers=8 max_grants=4 max_services=4 \
	tenant_requests=12 device_requests=4 tenant_bytes=1048576 service_bytes=262144" \
	test_errnos test_limits | tee "$out" || failed=1
tests/uapi/documented <"$out" || failed=1
exit $failed
