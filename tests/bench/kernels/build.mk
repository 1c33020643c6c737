# SPDX-License-Identifier: MIT

BENCHES += $(B)/tests/bench/kernels/bench_kernels

BENCH_PEAKS := $(foreach isa,$(KERNELS_ISAS),$(B)/tests/bench/kernels/peak.$(isa).o)

$(BENCH_PEAKS): CFLAGS += -O3 -DAIF_ISA=$(subst .,,$(suffix $(basename $@)))
$(B)/tests/bench/kernels/peak.avx2.o: CFLAGS += -mavx2 -mfma
$(B)/tests/bench/kernels/peak.avx512.o: CFLAGS += -mavx512f -mavx512dq -mfma
$(BENCH_PEAKS): tests/bench/kernels/peak.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/bench/kernels/bench_kernels: $(B)/tests/bench/kernels/bench_kernels.o $(BENCH_PEAKS) \
		$(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ -lm -lpthread
