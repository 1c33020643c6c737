# SPDX-License-Identifier: MIT
# Small programs to read first.  raw_client links nothing but libc.

EXAMPLES := $(addprefix $(B)/runtime/examples/,raw_client echo_executor ring_chain shared_memory)
PROGRAMS += $(EXAMPLES)

$(B)/runtime/examples/raw_client: $(B)/runtime/examples/raw_client.o
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)

$(B)/runtime/examples/echo_executor: $(B)/runtime/examples/echo_executor.o $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -pthread

$(B)/runtime/examples/ring_chain: $(B)/runtime/examples/ring_chain.o $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -luring -pthread

$(B)/runtime/examples/shared_memory: $(B)/runtime/examples/shared_memory.o $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -pthread
