# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# Sourced by test_*.sh: one boot, several programs, their TAP.

cd "$(dirname "$0")/../.." || exit 1

# Run build/tests/uapi/PROGRAM... one after the other in one guest, with these
# arguments of aif.ko; fails when one of them does.
boot() { # ARGS PROGRAM...
	args=$1
	shift
	for program in "$@"; do
		set -- "$@" "build/tests/uapi/$program"
		shift
	done
	# shellcheck disable=SC2016 # the guest's shell expands
	tests/guest/run --name "$(basename "$0" .sh)" --module-args "$args" -- \
		sh -c 'failed=0; for p; do "$p" || failed=1; done; exit $failed' sh "$@"
}
