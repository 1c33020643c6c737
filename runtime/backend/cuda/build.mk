# SPDX-License-Identifier: MIT
# The kernels that kernels/cuda.mk compiled go into this object, whole.

ifneq ($(NVCC),)
$(B)/runtime/backend/cuda/images.o: CPPFLAGS += -DAIF_CUDA_KERNELS
$(B)/runtime/backend/cuda/images.o: $(CUDA_OPS:%=build/cuda/%.fatbin)
endif
