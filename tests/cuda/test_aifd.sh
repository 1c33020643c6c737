#!/bin/bash
# SPDX-License-Identifier: MIT
#
# TEST CODE, rung 4: aifd with the CUDA backend behind /dev/aif in the guest, on the stand-in
# driver, whose registrations are pins that outlive their process.  The service is one kernel;
# with AIF_CUDA_ENCODER=1 the encoder, in bf16, which takes minutes there.  Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
if [ -z "${AIF_CUDA_ENCODER-}" ]; then
	exec tests/guest/run --name cuda_aifd --timeout 300 --file tests/cli/tap.sh \
		--file build/cuda/libcuda.so.1 --file build/tests/cuda/aifd-pool \
		--file tests/cuda/aifd_in_guest -- tests/cuda/aifd_in_guest pool
fi
if ! tools/fetch-nvcc --have >/dev/null; then
	echo "ok 1 - all # SKIP no nvcc 13.0; make cuda fetches it"
	echo "1..1"
	exit
fi
exec tests/cli/with_model --name cuda_encoder --timeout 1500 --mem 3072 --file tests/cli/tap.sh \
	--file build/cuda/libcuda.so.1 \
	--file tests/cuda/aifd_in_guest -- tests/cuda/aifd_in_guest encoder
