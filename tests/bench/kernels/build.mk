# SPDX-License-Identifier: MIT

BENCHES += $(B)/tests/bench/kernels/bench_kernels

# The multiply-add ceiling, compiled as the operators are.
CEILING_OBJS := $(B)/tests/bench/kernels/ceiling.o \
	$(foreach isa,$(KERNELS_ISAS),$(B)/tests/bench/kernels/peak.$(isa).o)

$(B)/tests/bench/kernels/%.portable.o: CFLAGS += -O3 -DAIF_ISA=portable
$(B)/tests/bench/kernels/%.avx2.o: CFLAGS += -O3 -mavx2 -mfma -DAIF_ISA=avx2
$(B)/tests/bench/kernels/%.avx512.o: CFLAGS += -O3 -mavx512f -mavx512dq -mfma -DAIF_ISA=avx512

$(KERNELS_ISAS:%=$(B)/tests/bench/kernels/peak.%.o): tests/bench/kernels/peak.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/bench/kernels/bench_kernels: $(B)/tests/bench/kernels/bench_kernels.o $(CEILING_OBJS) \
		$(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ -lm -pthread
