#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One boot of the debug kernel.  The parameters leave room for what a row makes
# and for nothing that a failed attempt forgot to give back.
set -eu
cd "$(dirname "$0")/../.."
exec tests/guest/run --name test_failnth --kernel debug --mem 512 --timeout 600 \
	--file build/tests/failnth --module-args \
	"serve_gid=1002 max_buffers=2 max_grants=2 max_services=3 tenant_requests=2 \
	device_requests=2 tenant_bytes=86016 tenant_pinned=20480 tenant_mapped=65536 service_bytes=131072" \
	-- build/tests/failnth/failnth -r "$@"
