# SPDX-License-Identifier: MIT
# The gateway, asked by clients that are not ours; each program makes its environment.

GATEWAY_CLIENT_TESTS := $(wildcard tests/gateway/test_*.py)
FAULTY_GATEWAY := $(B)/tests/gateway/aif-gateway-faulty

UNIT_TESTS += $(GATEWAY_CLIENT_TESTS)

# Scripts are there; what they test has to be built.
$(GATEWAY_CLIENT_TESTS): $(GATEWAY) $(B)/aif $(FAULTY_GATEWAY)

$(FAULTY_GATEWAY): $(patsubst %.c,$(B)/%.o,$(wildcard runtime/gateway/*.c)) \
		$(B)/tests/gateway/faulty.o $(filter-out %/kind_embed.o,$(SERVE_OBJS)) \
		$(B)/libaif.a $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(GATEWAY_LIBS)
