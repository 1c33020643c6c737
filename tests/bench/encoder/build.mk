# SPDX-License-Identifier: MIT

BENCHES += $(B)/tests/bench/encoder/bench_encoder

$(B)/tests/bench/encoder/bench_encoder: $(B)/tests/bench/encoder/bench_encoder.o \
		$(B)/tests/bench/kernels/ceiling.o \
		$(KERNELS_ISAS:%=$(B)/tests/bench/kernels/peak.%.o) $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(MODEL_LIBS)
