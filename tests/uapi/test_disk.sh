#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: tests/uapi/test_disk.sh [KERNEL]
#
# test_disk on an ext4 of the guest's, which Debian's kernels have; KERNEL as
# tests/guest/run takes it.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
image=$(mktemp)
trap 'rm -f "$image"' EXIT
truncate -s 8M "$image"
mke2fs -q -F -t ext4 "$image" || exit 1
# shellcheck disable=SC2016 # for the guest's shell
tests/guest/run ${1:+--kernel "$1"} --name "uapi_disk${1:+-$1}" --stock-module ext4 --stock-module crc32c_generic \
	--stock-module loop \
	--module-args serve_gid=1002 --file "$image:disk" --file build/tests/uapi/test_disk -- \
	'modprobe -a crc32c_generic ext4 loop && mkdir /mnt && mount -o loop disk /mnt || exit 1
	build/tests/uapi/test_disk /mnt; status=$?
	umount /mnt; exit $status'
