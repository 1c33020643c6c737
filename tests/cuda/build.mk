# SPDX-License-Identifier: MIT
#
# Rungs 1 and 2: each operator's tests with its kernel's twin, as it is (plain) and under
# sanitizers.  The emulator is compiled without them, for each.

CUDA_FLAVOURS := plain asan tsan
CUDA_CXX := g++ -std=c++17 -g -Wall -Wextra -Werror -I. -Itests/cuda
CUDA_CXX_plain := -O2
CUDA_CXX_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
CUDA_CXX_tsan := -O1 -fsanitize=thread
CUDA_EMULATOR_plain :=
CUDA_EMULATOR_asan := -DEMU_ASAN
CUDA_EMULATOR_tsan := -DEMU_TSAN
CUDA_TEST_HEADERS := $(CUDA_HEADERS) $(wildcard tests/cuda/*.h)
CUDA_PTX_OBJS := $(CUDA_B)/ptx.o $(CUDA_B)/ptx_parse.o
CUDA_DEVICE_OBJS := $(CUDA_B)/device.o $(patsubst %,$(B)/runtime/backend/cuda/%.o,driver image)

CUDA_PROGRAMS := $(foreach f,$(CUDA_FLAVOURS),$(CUDA_OPS:%=$(CUDA_B)/$(f)/%))

$(CUDA_PTX_OBJS) $(CUDA_B)/device.o: $(CUDA_B)/%.o: tests/cuda/%.cc $(CUDA_TEST_HEADERS)
	@mkdir -p $(@D)
	$(CUDA_CXX) -O2 -c -o $@ $<

define CUDA_FLAVOUR
$(CUDA_B)/$(1)/emulator.o: tests/cuda/emulator.cc $(CUDA_TEST_HEADERS)
	@mkdir -p $$(@D)
	$(CUDA_CXX) -O2 $(CUDA_EMULATOR_$(1)) -c -o $$@ $$<

$(CUDA_B)/$(1)/rig.o: tests/cuda/rig.cc $(CUDA_TEST_HEADERS)
	@mkdir -p $$(@D)
	$(CUDA_CXX) $(CUDA_CXX_$(1)) -c -o $$@ $$<

$(CUDA_B)/$(1)/test_%.o: tests/cuda/test_%.cc $(CUDA_TEST_HEADERS)
	@mkdir -p $$(@D)
	$(CUDA_CXX) $(CUDA_CXX_$(1)) -c -o $$@ $$<

$(CUDA_B)/$(1)/twin_%.o: kernels/%/cuda.cu $(CUDA_TEST_HEADERS)
	@mkdir -p $$(@D)
	$(CUDA_CXX) $(CUDA_CXX_$(1)) -c -o $$@ -x c++ $$<

$(CUDA_OPS:%=$(CUDA_B)/$(1)/%): $(CUDA_B)/$(1)/%: $(CUDA_B)/$(1)/test_%.o \
		$(CUDA_B)/$(1)/twin_%.o $(CUDA_B)/$(1)/rig.o $(CUDA_B)/$(1)/emulator.o $(CUDA_PTX_OBJS) \
		$(CUDA_DEVICE_OBJS)
	$(CUDA_CXX) $(CUDA_CXX_$(1)) -o $$@ $$^
endef
$(foreach f,$(CUDA_FLAVOURS),$(eval $(call CUDA_FLAVOUR,$(f))))

.SECONDARY: $(foreach f,$(CUDA_FLAVOURS),$(CUDA_OPS:%=$(CUDA_B)/$(f)/test_%.o) \
	$(CUDA_OPS:%=$(CUDA_B)/$(f)/twin_%.o))

.PHONY: cuda-tests
cuda-tests: $(CUDA_PROGRAMS)
ifneq ($(NVCC),)
cuda-tests: $(CUDA_FATBINS) $(foreach t,75 80,$(CUDA_OPS:%=$(CUDA_B)/%.$(t).ptx))
endif

# Whose layouts the emulator and the interpreter have.
CUDA_FRAGMENTS := $(CUDA_B)/plain/fragments
$(CUDA_FRAGMENTS): tests/cuda/fragments.cc $(CUDA_B)/plain/emulator.o $(CUDA_PTX_OBJS) \
		$(CUDA_TEST_HEADERS)
	$(CUDA_CXX) $(CUDA_CXX_plain) -o $@ $(filter %.cc %.o,$^)

tests: cuda-tests
UNIT_TESTS += $(CUDA_FRAGMENTS)
LONG_TESTS += tests/cuda/ladder tests/cuda/mutants

# Rung 4: the stand-in driver, and the backend's own tests with it.
CUDA_STANDIN := $(CUDA_B)/libcuda.so.1
CUDA_STANDIN_OBJS := $(patsubst %,$(CUDA_B)/pic/%.o,driver emulator pin ptx ptx_parse) \
	$(CUDA_OPS:%=$(CUDA_B)/pic/twin_%.o)
CUDA_BACKEND_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/cuda/test_*.c))

$(CUDA_B)/pic/twin_%.o: kernels/%/cuda.cu $(CUDA_TEST_HEADERS)
	@mkdir -p $(@D)
	$(CUDA_CXX) -O3 -fPIC -c -o $@ -x c++ $<

$(CUDA_B)/pic/%.o: tests/cuda/%.cc $(CUDA_TEST_HEADERS) runtime/backend/cuda/driver.h
	@mkdir -p $(@D)
	$(CUDA_CXX) -O2 -fPIC -fvisibility=hidden -c -o $@ $<

$(CUDA_STANDIN): $(CUDA_STANDIN_OBJS)
	$(CUDA_CXX) -shared -Wl,-soname,libcuda.so.1 -o $@ $^ -luring

# They find it by the path that they are linked with, and take any image.
CUDA_TEST_OBJS := $(B)/tests/cuda/images.o $(B)/tests/unit/model/refs.o
CUDA_SERVICE_TESTS := $(B)/tests/cuda/test_ids
$(filter-out $(CUDA_SERVICE_TESTS),$(CUDA_BACKEND_TESTS)): %: %.o $(CUDA_TEST_OBJS) \
		$(B)/libaif-model.a | $(CUDA_STANDIN)
	$(CC) $(CFLAGS) -o $@ $^ -Wl,-rpath,'$$ORIGIN/../../cuda' -lcmocka $(MODEL_LIBS)

# The backend below a service, which a client asks; the test may take an operator from it.
$(CUDA_SERVICE_TESTS): %: %.o $(CUDA_TEST_OBJS) $(SERVE_OBJS) $(B)/libaif.a \
		$(B)/libaif-model.a | $(CUDA_STANDIN)
	$(CC) $(CFLAGS) -Wl,--wrap=aif_backend_find -o $@ $^ -Wl,-rpath,'$$ORIGIN/../../cuda' \
		-lcmocka $(SERVE_LIBS)

# aifd whose embed is one kernel; it too takes any image.
CUDA_AIFD := $(B)/tests/cuda/aifd-pool
TESTBINS += $(CUDA_AIFD)
$(CUDA_AIFD): $(filter-out %/kind_embed.o,$(AIFD_OBJS)) $(B)/tests/cuda/kind_pool.o \
		$(B)/tests/cuda/images.o $(B)/libaif.a $(B)/libaif-model.a | $(CUDA_STANDIN)
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(SERVE_LIBS)
GUEST_TESTS += tests/cuda/test_aifd.sh

LONG_TESTS += $(CUDA_BACKEND_TESTS) $(addprefix tests/cuda/,test_embed.sh test_selftest.sh test_gpu_tier.sh)
.SECONDARY: $(CUDA_STANDIN_OBJS)

ifneq ($(NVCC),)
.PHONY: docs/cuda.md
docs/cuda.md: $(CUDA_FATBINS) $(CUDA_OPS:%=$(CUDA_B)/%.80.ptx)
	tests/cuda/document.py
endif

# Rung 6: what goes to a machine with a GPU, for tests/cuda/gpu-tier.
CUDA_DEATH := $(B)/tests/cuda/death
TESTBINS += $(CUDA_DEATH) $(CUDA_BENCH)
$(CUDA_DEATH): $(B)/tests/cuda/death.o $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(MODEL_LIBS)

.PHONY: gpu-archive
gpu-archive: $(AIF) $(CUDA_DEATH) $(CUDA_BENCH) cuda-tests	## all that a machine with a GPU is asked
	tests/cuda/pack-gpu $(B)/gpu.tar.xz

.PHONY: check-cuda
check-cuda: tests	## the CUDA backend at length: 50 texts on the stand-in driver
	AIF_CUDA_TEXTS=50 AIF_CUDA_TOKENS=256 AIF_CUDA_SEEDS=1 AIF_CUDA_RUNGS=all AIF_CUDA_MUTANTS=all tests/run \
		unit:$(B)/tests/cuda/test_encoder unit:tests/cuda/ladder unit:tests/cuda/mutants
	AIF_CUDA_ENCODER=1 tests/run guest:tests/cuda/test_aifd.sh
ifneq ($(NVCC),)
	AIF_STANDIN=ptx=$(CUDA_B) AIF_CUDA_TEXTS=2 AIF_CUDA_TOKENS=8 AIF_CUDA_SEEDS=1 \
		tests/run unit:$(B)/tests/cuda/test_encoder
endif
