# SPDX-License-Identifier: MIT
#
# kernels/*/cuda.cu by nvcc, for every architecture we ship: rung 0 of the ladder that
# docs/cuda.md describes.  A warning, a spilled register or local memory is an error.
# Compiled once, into build/cuda, whatever else is built: it depends on no compiler
# of the host.  Without nvcc all the rest builds, and the backend says that it has no kernels.

CUDA_B := build/cuda
CUDA_OPS := $(patsubst kernels/%/cuda.cu,%,$(wildcard kernels/*/cuda.cu))
NVCC := $(if $(shell command -v g++),$(shell tools/fetch-nvcc --have))

# Code for each, and PTX for what comes later.
CUDA_TARGETS := 75 80 86 89 90 100 120
CUDA_PTX := 80 120
CUDA_ARCHS := $(foreach t,$(CUDA_TARGETS),-gencode arch=compute_$(t),code=sm_$(t)) \
	$(foreach t,$(CUDA_PTX),-gencode arch=compute_$(t),code=compute_$(t))
CUDA_FLAGS := -I. -std=c++17 -O3 -Werror all-warnings -Xptxas -v,-warn-spills,-warn-lmem-usage
CUDA_HEADERS := $(wildcard kernels/*.h kernels/*/*.cuh)

.PHONY: cuda
cuda:			## fetch nvcc if it is not there, and build with the CUDA kernels
	@tools/fetch-nvcc >/dev/null
	@$(MAKE) --no-print-directory all

ifneq ($(NVCC),)
CUDA_FATBINS := $(CUDA_OPS:%=$(CUDA_B)/%.fatbin)

# Beside it FILE.ptxas, what the assembler says of each kernel and target.
$(CUDA_FATBINS): $(CUDA_B)/%.fatbin: kernels/%/cuda.cu $(CUDA_HEADERS)
	@mkdir -p $(@D)
	$(NVCC) $(CUDA_FLAGS) $(CUDA_ARCHS) -fatbin -o $@ $< 2>$@.ptxas || { cat $@.ptxas; exit 1; }

$(CUDA_B)/%.75.ptx: kernels/%/cuda.cu $(CUDA_HEADERS)
	@mkdir -p $(@D)
	$(NVCC) $(CUDA_FLAGS) -arch=compute_75 -ptx -o $@ $<

$(CUDA_B)/%.80.ptx: kernels/%/cuda.cu $(CUDA_HEADERS)
	@mkdir -p $(@D)
	$(NVCC) $(CUDA_FLAGS) -arch=compute_80 -ptx -o $@ $<
endif
