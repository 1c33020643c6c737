# SPDX-License-Identifier: MIT
# Small programs to read first.  raw_client links nothing but libc.

EXAMPLES := $(B)/runtime/examples/raw_client $(B)/runtime/examples/echo_executor
PROGRAMS += $(EXAMPLES)

$(B)/runtime/examples/raw_client: $(B)/runtime/examples/raw_client.o
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS)

$(B)/runtime/examples/echo_executor: $(B)/runtime/examples/echo_executor.o $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -pthread
