#!/bin/bash
# SPDX-License-Identifier: MIT
#
# TEST CODE: aif selftest, on the processor and on the stand-in driver.  Prints TAP.

cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
unset AIF_LOG_LEVEL AIF_CPU_ISA AIF_CUDA_DEVICE AIF_CUDA_PRECISION AIF_CUDA_WAIT AIF_CUDA_GRAPHS AIF_STANDIN

# shellcheck disable=SC2317 # try calls it
selftest() { build/aif selftest "$@"; }
# shellcheck disable=SC2317 # try calls it
standin() { # WORDS WHAT...
	local words=$1
	shift
	LD_LIBRARY_PATH=$PWD/build/cuda AIF_STANDIN=$words selftest "$@"
}

last() {
	tail -n 1 <<<"$out"
}

try selftest cpu
is "the processor: six operators, all right" "0 6 1" \
	"$status $(grep -c '^fp32 .* cases, error' <<<"$out") $(last | grep -c '^31 cases, all right; results [0-9a-f]*$')"
try selftest
has "no backend named" "which backend?" "$err"
try selftest gpu
is "an unknown backend" "1 aif selftest: there is no backend 'gpu': cuda or cpu" "$status $err"
try selftest cpu -p bf16
is "a precision that it lacks" "1 aif selftest: precision 'bf16': there is fp32" "$status $err"
try selftest cuda
has "no driver, or no kernels: one line" "aif selftest: backend cuda: " "$status $err"
is "and a failure" 1 "$status"

if ! tools/fetch-nvcc --have >/dev/null; then
	skip "cuda on the stand-in driver" "no nvcc 13.0; make cuda fetches it"
	finish
fi
try standin seed=2 cuda
is "cuda: four precisions, all right" "0 24 1" \
	"$status $(grep -c 'cases, error' <<<"$out") $(last | grep -c '^124 cases, all right')"
try standin seed=2 cuda -p bf16 --json
is "cuda, JSON: what it ran on, and with what" '0 true "sm_90" "GPU-10101010-1010-1010-1010-101010101010" 64 31' \
	"$status $(python3 -c 'import json, sys
line = json.loads(sys.stdin.read().splitlines()[-1])
print(json.dumps(line["ok"]), *map(json.dumps, (line["target"], line["id"])), len(line["kernels"]), line["cases"])' <<<"$out")"
# What a kernel has not stored, what the driver refuses, and a device that dies.
try standin lose=gemm_mma_bf16:2 cuda -p bf16
is "a kernel that stores nothing: wrong" "1 1 1" \
	"$status $(grep -c '^bf16  gemm        case [0-9]*: wrong$' <<<"$out") $(grep -c 'NOT all right' <<<"$out")"
try standin lose=pool_f32:1 cuda -p fp32
has "vectors that do not come" "pool        case 1: step 1 is done, and the device has told" "$status $out"
try standin fail=cuMemAlloc:9:2 cuda -p fp32
has "no memory: said, and the others go on" "case 1: Cannot allocate memory" "$out"
has "an operator after one that failed" "fp32  pool        5 cases" "$out"
try standin fail=cuLaunchKernel:3:700 cuda -p fp32
is "a dead device: no other operator is asked" "1 2" "$status $(wc -l <<<"$(tail -n +2 <<<"$out")")"
finish
