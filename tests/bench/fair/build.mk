# SPDX-License-Identifier: MIT
BENCHES += $(B)/tests/bench/fair/bench_fair

$(B)/tests/bench/fair/bench_fair: $(B)/tests/bench/fair/bench_fair.o $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ -pthread -lm

.PHONY: demo-fair
demo-fair: all module $(B)/tests/bench/fair/bench_fair	## two departments on one device, in a guest: figures and a picture
	@tools/demo-fair
