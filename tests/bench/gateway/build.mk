# SPDX-License-Identifier: MIT

BENCHES += $(B)/tests/bench/gateway/bench_client

$(B)/tests/bench/gateway/bench_client: $(patsubst %,$(B)/%.o,tests/bench/gateway/bench_client \
		tools/embedder tools/cli) $(SERVE_OBJS) $(B)/libaif.a $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(SERVE_LIBS) -luring

BENCHES += $(B)/tests/bench/gateway/bench_http

$(B)/tests/bench/gateway/bench_http: $(B)/tests/bench/gateway/bench_http.o
	$(CC) $(CFLAGS) -o $@ $^
