#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TEST CODE.  What nvcc's assembler says of each kernel and target.

usage: tests/cuda/resources.py [--check] [OPERATOR]...

Prints registers, shared memory and the occupancy they allow, for each kernel; with
--check TAP: each kernel is there for every target, within the target's limits, spills
nothing, uses no local memory, and its PTX is of the version that driver 580 takes.
"""
import glob
import os
import re
import sys

TARGETS = ["75", "80", "86", "89", "90", "100", "120"]
PTX_VERSION = "9.0"

# Per multiprocessor: threads, blocks, bytes of shared memory for blocks (CUDA C
# programming guide, compute capabilities; registers are 65,536 in all of them).
SM = {"75": (1024, 16, 64 << 10), "80": (2048, 32, 164 << 10), "86": (1536, 16, 100 << 10),
      "89": (1536, 24, 100 << 10), "90": (2048, 32, 228 << 10), "100": (2048, 32, 228 << 10),
      "120": (1536, 24, 100 << 10)}
REGISTERS, REGISTER_UNIT = 65536, 256
# What the driver keeps of each block's shared memory, from compute capability 8 on.
SHARED_KEPT = 1024


HEAD_DIM, HIDDEN = 32, 384
MMA_DIMS = (32, 64, 128)


def shared_unit(target):
    """Bytes in which a block is given shared memory (CUDA's cuda_occupancy.h)."""
    return 256 if target == "75" else 128


def dynamic_shared():
    """{kernel: bytes of dynamic shared memory}, for heads of HEAD_DIM and rows of HIDDEN."""
    with open("kernels/cuda.h", encoding="utf-8") as file:
        value = dict(re.findall(r"#define AIF_CUDA_(\w+) (\d+)\b", file.read()))
    stages = int(value["MMA_STAGES"]) * 2 * 128
    keys, queries = int(value["ATTENTION_KEYS"]), int(value["ATTENTION_QUERIES"])
    attention = 4 * (keys * (2 * HEAD_DIM + 1) + queries * (HEAD_DIM + keys))
    used = {"gemm_mma": stages * int(value["GEMM_TILE"]),
            "gemm_mma_wide": stages * int(value["GEMM_WIDE"]),
            "attention": attention, "pool": 4 * HIDDEN}
    # Two stages of keys and values, as AIF_CUDA_ATTENTION_MMA_KEYS and _SHARED say.
    used |= {f"attention_mma_{dim}": 2 * 2 * (32 if dim > 64 else 64) * (dim + 8) * 2
             for dim in MMA_DIMS}
    return {f"{op}_{t}": n for op, n in used.items() for t in ("f32", "tf32", "bf16", "f16")}


def parse(op):
    """{kernel: {target: (registers, shared bytes)}}, and complaints."""
    kernels, bad = {}, []
    with open(f"build/cuda/{op}.fatbin.ptxas", encoding="utf-8") as file:
        for line in file:
            entry = re.search(r"Compiling entry function '(\w+)' for 'sm_(\w+)'", line)
            if entry:
                kernel, target = entry.groups()
            stack = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores", line)
            if stack and stack.groups() != ("0", "0"):
                bad.append(f"{kernel} for sm_{target}: {line.strip()}")
            used = re.search(r"Used (\d+) registers", line)
            if used:
                shared = re.search(r"(\d+) bytes smem", line)
                kernels.setdefault(kernel, {})[target] = (
                    int(used[1]), int(shared[1]) if shared else 0)
    return kernels, bad


def threads_of(op, target="80"):
    """{kernel: threads of a block}, as its PTX says."""
    with open(f"build/cuda/{op}.{target}.ptx", encoding="utf-8") as file:
        text = file.read()
    found = re.findall(r"\.entry (\w+)\(.*?\.maxntid (\d+)", text, re.S)
    return {kernel: int(n) for kernel, n in found}


def occupancy(target, registers, shared, threads):
    """Per cent of a multiprocessor's threads that can be there at once."""
    most, blocks, memory = SM[target]
    warps = threads // 32
    per_warp = -(-registers * 32 // REGISTER_UNIT) * REGISTER_UNIT
    fit = [blocks, most // threads, REGISTERS // per_warp // warps]
    used = shared + (SHARED_KEPT if target != "75" else 0)
    if used:
        unit = shared_unit(target)
        fit.append(memory // (-(-used // unit) * unit))
    return 100 * min(fit) * threads // most


def operators():
    return sorted(os.path.basename(os.path.dirname(p)) for p in glob.glob("kernels/*/cuda.cu"))


def check(op):
    kernels, bad = parse(op)
    threads, older, dynamic = threads_of(op), threads_of(op, "75"), dynamic_shared()
    for target in ("75", "80"):
        with open(f"build/cuda/{op}.{target}.ptx", encoding="utf-8") as file:
            version = re.search(r"^\.version (\S+)", file.read(), re.M)
        if version[1] != PTX_VERSION:
            bad.append(f"PTX {version[1]}, the driver of CUDA 13.0 takes {PTX_VERSION}")
    for kernel, n in sorted(threads.items()):
        for target in TARGETS:
            registers, shared = kernels.get(kernel, {}).get(target, (0, 0))
            if not registers and target == "75" and kernel not in older:
                continue  # it needs tensor cores
            if not registers:
                bad.append(f"{kernel}: not compiled for sm_{target}")
            elif (registers * n > REGISTERS or shared > 48 << 10 or
                  shared + dynamic.get(kernel, 0) > SM[target][2] - SHARED_KEPT):
                bad.append(f"{kernel} for sm_{target}: {registers} registers, {shared} bytes")
    for line in bad:
        print("#", line)
    print(f"{'not ok' if bad else 'ok'} - {op}: {len(threads)} kernels, {len(TARGETS)} targets")
    return not bad


def rows(op):
    """(kernel, threads, {target: (registers, shared, occupancy)})"""
    kernels, _ = parse(op)
    threads, dynamic = threads_of(op), dynamic_shared()
    for kernel in sorted(kernels):
        yield kernel, threads[kernel], {
            t: (r, s, occupancy(t, r, s + dynamic.get(kernel, 0), threads[kernel]))
            for t, (r, s) in kernels[kernel].items()}


def main(arguments):
    wants_check = arguments[:1] == ["--check"]
    ops = arguments[wants_check:] or operators()
    if wants_check:
        return 0 if all([check(op) for op in ops]) else 1
    for op in ops:
        for kernel, threads, targets in rows(op):
            for target in [t for t in TARGETS if t in targets]:
                registers, shared, percent = targets[target]
                print(f"{kernel:20} sm_{target:4} {threads:4} threads {registers:4} registers "
                      f"{shared:6} B shared {percent:4} % occupancy")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
