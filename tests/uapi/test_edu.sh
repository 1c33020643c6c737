#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: tests/uapi/test_edu.sh [KERNEL]
#
# QEMU's edu card as an engine, in three machines of their own: bounce buffers in memory
# that it reaches, an IOMMU, and memory that it does not reach.  KERNEL as tests/guest/run
# takes it.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
card=(--machine-device 'pcie-root-port,id=socket,slot=1,chassis=1' --machine-device 'edu,bus=socket')
failed=0

guest() { # NAME ARGUMENT...
	local name=$1
	shift
	tests/guest/run ${kernel:+--kernel "$kernel"} --name "uapi_edu${kernel:+-$kernel}-$name" \
		--no-tools --file build/tests/uapi/test_edu --module-args serve_gid=1002 \
		"${card[@]}" "$@" || failed=1
}

kernel=${1-}
guest bounce --mem 240 --append swiotlb=8192,force -- build/tests/uapi/test_edu
guest iommu --machine-device intel-iommu --append "intel_iommu=on iommu.strict=1" -- \
	build/tests/uapi/test_edu --iommu
# shellcheck disable=SC2016 # for the guest's shell
guest beyond --mem 512 -- 'modprobe aif_edu
	said="not ok 1 - memory beyond its reach is said, and refused"
	if dmesg | grep -q "aif_edu .*: reaches 256 MiB" && ! ls -d /sys/kernel/debug/aif/engines/edu-*
	then said=${said#not }; fi
	echo "$said"; echo 1..1; rmmod aif_edu; test "$said" = "${said#not}"'
exit $failed
