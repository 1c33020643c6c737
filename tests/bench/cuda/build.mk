# SPDX-License-Identifier: MIT
# Our side of compare.py, which needs a GPU: tests/cuda/gpu-tier runs it.

CUDA_BENCH := $(B)/tests/bench/cuda/libbench_cuda.so
BENCHES += $(CUDA_BENCH)

$(CUDA_BENCH): $(B)/tests/bench/cuda/bench_cuda.o $(B)/libaif-model.a
	$(CC) $(CFLAGS) -shared -o $@ $^ $(MODEL_LIBS)
