#!/bin/bash
# SPDX-License-Identifier: MIT
#
# TEST CODE: what a machine with a GPU is asked, dry: packed, and run on the stand-in driver.
# Prints TAP.

cd "$(dirname "$0")/../.." || exit 1
. tests/cli/tap.sh
unset AIF_LOG_LEVEL AIF_CUDA_DEVICE AIF_CUDA_PRECISION AIF_CUDA_WAIT AIF_CUDA_GRAPHS AIF_STANDIN

if ! tools/fetch-nvcc --have >/dev/null; then
	skip "all" "no nvcc 13.0; make cuda fetches it"
	finish
fi
if ! tools/fetch-model >/dev/null 2>"$tmp/err"; then
	skip "all" "no model: $(tail -n 1 "$tmp/err")"
	finish
fi
# shellcheck disable=SC2317 # try calls it
tier() { # STAGE...
	LD_LIBRARY_PATH=$PWD/build/cuda tests/cuda/gpu-tier "$tmp/gpu" "$tmp/result" "${@/#/--stage=}"
}
# of WHAT: a line of Python about the result
of() {
	python3 -c "import json; r = json.load(open('$tmp/result')); s = {e['stage']: e for e in r['stages']}
print($1)"
}

try tests/cuda/pack-gpu "$tmp/gpu" 2
is "packed" "0 2" "$status $(wc -l <"$tmp/gpu/references.jsonl")"
try tier vectors encoder death figures memcheck
echo "# $out $err"
is "on the stand-in: all that it can do is right" "0 True True True None" \
	"$status $(of '*(s[n]["ok"] for n in ("vectors", "encoder", "death", "figures"))')"
is "the encoder, as texts (one is empty) and as ids" "fp32 1 2 bf16 1 2" \
	"$(of '" ".join("%s %s %s" % (p, f["texts"], f["ids"]) for p, f in s["encoder"]["found"].items())')"
is "a killed executor is gone, and its pins" "True" \
	"$(of 'all(0 <= d["reaped_ms"] and 0 <= d["unpinned_ms"] for d in s["death"]["found"])')"
is "the result says what ran, and where" "the stand-in driver $(cat "$tmp/gpu/commit")" "$(of 'r["device"], r["commit"]' | tr -d "(),'")"

# It can fail: another model's vector, a kernel that loses its result, a damaged image.
sed -i 's/"vector": \[/&9.5, /; s/\(.*\), [^,]*\]}$/\1]}/' "$tmp/gpu/references.jsonl"
try tier encoder
is "a vector that is not the reference's" "1 False" "$status $(of 's["encoder"]["ok"]')"
AIF_STANDIN=lose=layernorm_f32:2 try tier vectors
is "a kernel that stores nothing" "1 1" "$status $(of 's["vectors"]["why"].count("layernorm: status 1")')"
truncate -s 1000 "$tmp/gpu/bin/pool.fatbin"
try tier vectors
is "a truncated image" "1 1" "$status $(of 's["vectors"]["why"].count("pool: status 1")')"
finish
