# SPDX-License-Identifier: MIT
# All of it also runs under ASan and UBSan.

GATEWAY_TESTS := $(addprefix $(B)/tests/unit/gateway/,test_arena test_catalog test_fault test_identity \
	test_json test_keys test_opener test_sigv4)
GATEWAY_TEST_OBJS := $(IDENTITY_OBJS) $(patsubst %,$(B)/runtime/gateway/%.o,arena buf catalog fault json opener)
GATEWAY_VERIFIER := $(B)/tests/unit/gateway/verifier.asan
GATEWAY_TEST_LIBS := -lcmocka $(MODEL_LIBS)

UNIT_TESTS += $(GATEWAY_TESTS) $(GATEWAY_TESTS:%=%.asan) tests/unit/gateway/test_botocore.sh
tests/unit/gateway/test_botocore.sh: $(GATEWAY_VERIFIER)

$(GATEWAY_TESTS): %: %.o $(B)/tests/unit/gateway/rig.o $(GATEWAY_TEST_OBJS) $(B)/libaif.a $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(GATEWAY_TEST_LIBS)

$(B)/gateway-asan/%.o: CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all
$(B)/gateway-asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(GATEWAY_TESTS:%=%.asan) $(GATEWAY_VERIFIER): $(B)/%.asan: $(B)/gateway-asan/%.o \
		$(B)/gateway-asan/tests/unit/gateway/rig.o \
		$(GATEWAY_TEST_OBJS:$(B)/%=$(B)/gateway-asan/%) $(B)/libaif.a $(B)/libaif-model.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -o $@ $^ $(GATEWAY_TEST_LIBS)
