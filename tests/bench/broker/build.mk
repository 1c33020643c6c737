# SPDX-License-Identifier: MIT
BENCHES += $(B)/tests/bench/broker/bench_broker

$(B)/tests/bench/broker/bench_broker: $(B)/tests/bench/broker/bench_broker.o $(B)/tests/bench/count.o $(B)/tests/uapi/raw.o
	$(CC) $(CFLAGS) -o $@ $^ -luring
