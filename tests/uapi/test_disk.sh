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
# ext4 asks for crc32c by name, which newer kernels have without a module.
modules=(ext4 loop)
read -r release _ folder <<<"$(tests/guest/kernel ${1:+"$1"})"
[ -z "$(find "${folder:-/lib/modules/$release}/" -name 'crc32c[_-]generic.ko*')" ] || modules=(crc32c_generic "${modules[@]}")
# shellcheck disable=SC2016 # for the guest's shell
tests/guest/run ${1:+--kernel "$1"} --name "uapi_disk${1:+-$1}" "${modules[@]/#/--stock-module=}" \
	--module-args serve_gid=1002 --file "$image:disk" --file build/tests/uapi/test_disk -- \
	"modprobe -a ${modules[*]}"' && mkdir /mnt && mount -o loop disk /mnt || exit 1
	build/tests/uapi/test_disk /mnt; status=$?
	umount /mnt; exit $status'
