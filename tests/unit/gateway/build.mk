# SPDX-License-Identifier: MIT
# All of it also runs under ASan and UBSan.

GATEWAY_TESTS := $(B)/tests/unit/gateway/test_identity $(B)/tests/unit/gateway/test_keys
GATEWAY_TEST_LIBS := -lcmocka $(MODEL_LIBS)

UNIT_TESTS += $(GATEWAY_TESTS) $(GATEWAY_TESTS:%=%.asan)

$(GATEWAY_TESTS): %: %.o $(B)/tests/unit/gateway/rig.o $(IDENTITY_OBJS) $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(GATEWAY_TEST_LIBS)

$(B)/gateway-asan/%.o: CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all
$(B)/gateway-asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(GATEWAY_TESTS:%=%.asan): $(B)/%.asan: $(B)/gateway-asan/%.o $(B)/gateway-asan/tests/unit/gateway/rig.o \
		$(IDENTITY_OBJS:$(B)/%=$(B)/gateway-asan/%) $(B)/libaif-model.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -o $@ $^ $(GATEWAY_TEST_LIBS)
