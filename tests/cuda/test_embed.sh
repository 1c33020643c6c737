#!/bin/bash
# SPDX-License-Identifier: MIT
#
# TEST CODE, rung 4: aif embed with the CUDA backend, without a driver and on the stand-in.
# Prints TAP.

cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
unset AIF_LOG_LEVEL AIF_CUDA_DEVICE AIF_CUDA_PRECISION AIF_CUDA_WAIT AIF_STANDIN

if ! tools/fetch-model >/dev/null 2>"$tmp/err"; then
	skip "all" "no model: $(tail -n 1 "$tmp/err")"
	finish
fi
embed() { build/aif embed --device local "${@:-a text}"; }
# shellcheck disable=SC2317 # try calls it
standin() { # WORDS [WHAT...]
	local words=$1
	shift
	LD_LIBRARY_PATH=$PWD/build/cuda AIF_STANDIN=$words embed --backend cuda "${@:-a text}"
}

# near A B: two vectors as the command prints them, cosine at least $3
near() {
	awk -v least="$3" '{ for (i = 1; i <= NF; i++) v[NR, i] = $i }
		END { for (i = 1; i <= NF; i++) { d += v[1, i] * v[2, i]; a += v[1, i]^2; b += v[2, i]^2 }
			print (NR == 2 && d / sqrt(a * b) >= least) }' <<<"$1"$'\n'"$2"
}

cpu=$(embed)
if tools/fetch-nvcc --have >/dev/null; then
	try standin seed=3
	is "cuda: the CPU's vector" "0  1" "$status $err $(near "$out" "$cpu" 0.99999)"
	AIF_CUDA_PRECISION=bf16 try standin order=lifo
	is "cuda, bf16: nearly" "0  1" "$status $err $(near "$out" "$cpu" 0.9995)"
	AIF_CUDA_PRECISION=bf16 try standin seed=2 --ids "101 1037 3793 102"
	is "cuda, bf16, token ids: the text's vector" "0  $(AIF_CUDA_PRECISION=bf16 standin seed=2)" \
		"$status $err $out"
	for words in init=999 version=12040 fail=cuMemAlloc:9:2; do
		try standin $words
		echo "# $err"
		case $words in
		fail*) is "cuda, $words: an error that says what" 1 "$(grep -c 'Cannot allocate memory' <<<"$err")" ;;
		*) is "cuda, $words: one line, and the CPU's vector" "0 1 $cpu" \
			"$status $(grep -c 'backend cuda: .*; the CPU computes instead' <<<"$err") $out" ;;
		esac
	done
else
	skip "cuda on the stand-in driver" "no nvcc 13.0; make cuda fetches it"
	try embed --backend cuda "a text"
	is "cuda: one line, and the CPU's vector" "0 1 $cpu" \
		"$status $(grep -c 'built without CUDA kernels' <<<"$err") $out"
fi
finish
