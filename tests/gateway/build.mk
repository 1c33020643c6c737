# SPDX-License-Identifier: MIT
# The gateway, asked by clients that are not ours; each program makes its environment.

GATEWAY_GUEST_TEST := tests/gateway/test_guest.py
GATEWAY_CLIENT_TESTS := $(filter-out $(GATEWAY_GUEST_TEST),$(wildcard tests/gateway/test_*.py))
FAULTY_GATEWAY := $(B)/tests/gateway/aif-gateway-faulty
FAULTY_AIFD := $(B)/tests/gateway/aifd-faulty

LONG_TESTS += $(GATEWAY_CLIENT_TESTS)
GUEST_TESTS += $(GATEWAY_GUEST_TEST)
TESTBINS += $(FAULTY_AIFD)

# Scripts are there; what they test has to be built.
$(GATEWAY_CLIENT_TESTS): $(GATEWAY) $(B)/aif $(FAULTY_GATEWAY)

$(FAULTY_GATEWAY): $(patsubst %.c,$(B)/%.o,$(wildcard runtime/gateway/*.c)) \
		$(B)/tests/gateway/faulty.o $(filter-out %/kind_embed.o,$(SERVE_OBJS)) \
		$(B)/libaif.a $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(GATEWAY_LIBS)

$(FAULTY_AIFD): $(filter-out %/kind_embed.o,$(AIFD_OBJS)) $(B)/tests/gateway/faulty.o \
		$(B)/libaif.a $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(SERVE_LIBS)
