#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TEST CODE.  Writes docs/cuda.md of what nvcc said and of what the tests run.

usage: tests/cuda/document.py [--check]

With --check TAP: whether the page is what this would write.
"""
import sys

import resources

PAGE = "docs/cuda.md"
HEAD = """<!-- Written by tests/cuda/document.py (make docs/cuda.md). -->
# CUDA

**Not yet run on NVIDIA hardware.** What is here was proved without a GPU, up to the rung that
is named; no figure of speed exists.

`make cuda` fetches nvcc 13.0 from PyPI (or takes an installed one) and builds `aif` and `aifd`
with the kernels of `kernels/*/cuda.cu`, for sm_{targets} and as PTX for
compute_80 and compute_120. At run time they need a driver of CUDA 13.0 (580) or newer, found by
dlopen; where there is none, or no device, one line says so and the CPU computes.

```
aif embed -d local -b cuda "a text"          # AIF_CUDA_PRECISION=bf16
```

| AIF_CUDA_PRECISION | activations and weights in memory | what gemm and attention multiply |
|---|---|---|
| `fp32` (default) | 32 bits | as it is |
| `tf32` | 32 bits | gemm: rounded to 10 bits of fraction, on tensor cores |
| `bf16` | 16 bits, 7 of fraction | as it is, on tensor cores |
| `fp16` | 16 bits, 10 of fraction, up to 65504 | as it is, on tensor cores |

Sums and all else that is computed are in 32 bits. A model with a weight beyond 65504 is refused in
fp16, with a line that names the weight; an activation beyond that is infinite, and a vector that
comes of it NaN: such a model wants bf16.

`AIF_CUDA_DEVICE` names a device by UUID or PCI address. In `aifd.conf` it is `backend = cuda`, with
`cuda_device`, `cuda_precision` and `cuda_wait`.

## The ladder

| rung | what | shows | does not show |
|---|---|---|---|
| 0 | nvcc's assembler for every target; a warning, a spill or local memory is an error | it assembles, within limits | results, speed |
| 1 | the same source as host code on an emulator, three orders of threads | index arithmetic, barriers, the algorithm | inline PTX |
| 2 | rung 1 under ASan, UBSan and TSan | bounds, alignment, races | weak memory order |
| 3 | the PTX that nvcc wrote, interpreted (compute_75 and compute_80) | device code, parameters, alignment, bounds | the assembler, hardware |
| 4 | the backend on a stand-in driver, the encoder whole | order, lifetime, errors, leaks | the real driver, time |
| 5 | the real driver without a GPU | | not run |
| 6 | the real driver and a GPU: the same tests, the encoder's references, a killed executor, figures | the real thing | not run |

`tests/cuda/ladder` climbs 0 to 3, `tests/cuda/mutants` puts faults in and shows which rung catches
them (AIF_CUDA_RUNGS=all: every rung, not only those that must; AIF_CUDA_MUTANTS=all: every fault, not
one of three, as `make check-cuda` does), `build/tests/cuda/test_backend`
and `test_encoder` are rung 4. `build/cuda/plain/fragments` holds the emulator's and the
interpreter's mma and ldmatrix, written apart from each other, to the layouts that CUTLASS publishes.

## On a machine with a GPU

`aif selftest cuda` computes with every operator in every precision and compares with the processor's
readable ones; it needs no module and no model. All of rung 6, on a machine with a driver, python3 and, for
the figures, PyTorch, but no network and nothing of Debian's, in under 8 minutes:

```
make gpu-archive                                      # where nvcc is; under 60 MB with the sources
tests/cuda/gpu-tier build/gpu.tar.xz result.json      # there
```

The kernels' own tests with a fat binary instead of PTX are one of its stages. It has been run on the
stand-in driver only (`tests/cuda/test_gpu_tier.sh`, in `make check`).

## Tensor cores

From sm_80 on gemm runs on tensor cores (`gemm_mma_*`) unless fp32 was asked for; sm_75, and rows
of K that are no multiple of 16 bytes, keep `gemm_plain_*`, where tf32 is strict fp32. Nothing else
decides between those two, and each sums K in pieces of 128 one after the other: a text has the
same bits alone, in any batch, with K shared out or not, in the small tile or the wide one. The
wide tile is taken where such tiles give every processor one.

Attention's two products are on tensor cores with bf16 and fp16 from sm_80 on, where a head's length
is a multiple of 8 (`attention_mma_DIM_*`, DIM the least of 32, 64, 128 that holds it); its weights
are rounded to 16 bits for the second one, the softmax and all sums are in 32 bits. All else keeps
`attention_*`, in strict fp32. What is computed of a text depends on its own length alone.

## Weights and tables

They travel in pieces of 2 MiB through two pinned buffers: while one is on its way the next is read
from the model's file, and rounded for 16 bits. An event says when a buffer may be filled again.
They are pinned as long as loading lasts.

## Token ids

With `input = ids` the first kernel (`embed_each_*`) reads a client's token ids where the client has
them: its grant is registered with the device once, a read-only one with the READ_ONLY flag. Each id
is loaded once and clamped, whatever the client writes meanwhile. Ids that came with the request
itself, and those in read-only memory on a device without attribute 113, are copied by the worker.

## A step is one launch

A step of six layers is 44 kernels. The encoder says with which shape a step begins (tokens, texts,
the longest), and from then on launches are noted, not made. When something needs their order (a
copy, a wait, the next step), they go to the device as one graph: a chain of the same kernels with the same
grids and arguments as plain launches have, so vectors have the same bits. A stream keeps 16 graphs.
Of a graph whose shape comes again only those nodes are set anew that are not as they were: pool for its
ticket, and what reads or writes where a client has its ids or vector. The 17th shape gets the graph
of the one that was not used for longest, with all its nodes set.

A shape that was not among the last 64 is launched plainly: most of ragged steps never come again. So
are all for 1,024 steps after the driver has refused a graph (no memory), and those of a driver that
lacks a call that graphs need. AIF_CUDA_GRAPHS=off launches all plainly, which profilers may like.

Offsets and ids of a step travel by one copy, from pinned memory that belongs to the stream.

## Waiting

A step ends with the vectors, and its last block to come writes a word in pinned memory behind them,
with release for the whole system. The worker spins on that word and asks the driver every 20 us
whether there was a fault. Beside the word lies how long the step took by the device's clock
(`%globaltimer`, from the first block of embed to the last of pool): that is what COMMIT reports,
divided among the requests by their tokens. That clock's resolution is 1 us on many devices;
where the device says 0, COMMIT reports what the host's clock measured. With AIF_CUDA_WAIT=sleep the
worker sleeps on an event instead, and the processor is free meanwhile. A step that the driver calls
done though the word has not come is an error, and the device is given up.

A step whose vectors are copied back to memory that is not wrapped ends with the copies, not with
the word: the worker waits in cuStreamSynchronize, or asleep, and the step has no time of the device.

## When a worker dies

Registered grants are pinned, and each worker declares its pins to the device. A worker that is
killed is gone before its GPU has stopped: its requests are executed again only when no page of their
output has more pins than the live workers have declared. `tests/cuda/test_aifd.sh` kills one of two
workers of aifd in the guest, with a request under way, where the stand-in's registrations are real
long-term pins that outlive their process by 200 ms and write into the output meanwhile: by a service
of one kernel in `make check`, by the encoder in bf16 in `make check-cuda`.

## Kernels

Registers / bytes of static shared memory / occupancy in per cent, per target. Dynamic shared
memory is counted in the occupancy: {narrow} and {wide} KiB of `gemm_mma_*`, {mma_32}, {mma_64} and {mma_128} KiB
of `attention_mma_*` for texts of 49 tokens and more, and what `attention_*` and `pool_*` take for heads
of {head_dim} and rows of {hidden}. That a kernel has passed rung 4 is what
`test_encoder` asks at its end.

"""


def page():
    dynamic = resources.dynamic_shared()
    text = HEAD.format(targets=", ".join(resources.TARGETS),
                       narrow=dynamic["gemm_mma_bf16"] >> 10,
                       wide=dynamic["gemm_mma_wide_bf16"] >> 10,
                       **{f"mma_{dim}": dynamic[f"attention_mma_{dim}_bf16"] >> 10
                          for dim in resources.MMA_DIMS},
                       head_dim=resources.HEAD_DIM, hidden=resources.HIDDEN)
    text += "| kernel | rung | threads | " + " | ".join(
        f"sm_{t}" for t in resources.TARGETS) + " |\n"
    text += "|---" * (3 + len(resources.TARGETS)) + "|\n"
    for op in resources.operators():
        for kernel, threads, targets in resources.rows(op):
            cells = ["{} / {} / {}".format(*targets[t]) if t in targets else "–"
                     for t in resources.TARGETS]
            text += f"| `{kernel}` | 4 | {threads} | " + " | ".join(cells) + " |\n"
    return text


def main(arguments):
    if arguments != ["--check"]:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(page())
        return 0
    with open(PAGE, encoding="utf-8") as file:
        same = file.read() == page()
    print(f"{'ok' if same else 'not ok'} - {PAGE}" + ("" if same else ": run make docs/cuda.md"))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
