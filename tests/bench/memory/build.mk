# SPDX-License-Identifier: MIT
BENCHES += $(B)/tests/bench/memory/bench_memory

$(B)/tests/bench/memory/bench_memory: $(B)/tests/bench/memory/bench_memory.o $(B)/tests/bench/count.o $(B)/tests/uapi/raw.o
	$(CC) $(CFLAGS) -o $@ $^ -luring
