#!/bin/bash
# SPDX-License-Identifier: MIT
# aif device in a guest with virtio-gpu and vgem, and with the stand-in for CUDA's driver;
# what aifd makes of a backend that is not there, or ends who tries it.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
exec tests/cli/with_model --name cli_hardware --timeout 600 --mem 2048 --module-args serve_gid=1002 \
	--machine-device virtio-gpu-pci --stock-module virtio_gpu --stock-module vgem \
	--file build/cuda/libcuda.so.1:libcuda.so.1 --file build/tests/cli/badcuda/libcuda.so.1:bad/libcuda.so.1 \
	--file tests/cli/tap.sh --file tests/cli/hardware_in_guest -- tests/cli/hardware_in_guest
