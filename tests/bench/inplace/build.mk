# SPDX-License-Identifier: MIT
INPLACE := $(B)/tests/bench/inplace
BENCHES += $(INPLACE)/bench_inplace $(INPLACE)/plugin.so

$(INPLACE)/bench_inplace: $(INPLACE)/bench_inplace.o $(B)/tests/bench/count.o $(B)/tests/uapi/raw.o
	$(CC) $(CFLAGS) -o $@ $^ -luring

# Its symbols are QEMU's, resolved when that loads it.
$(INPLACE)/plugin.so: $(INPLACE)/plugin.o
	$(CC) -shared -o $@ $^
