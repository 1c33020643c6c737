# SPDX-License-Identifier: MIT
# The core's tests in three programs: plain, under ASan + UBSan, under TSan.

CORE_TESTS := $(B)/tests/unit/core/test_core
CORE_TEST_SRCS := $(CORE_SRCS) $(wildcard tests/unit/core/*.c)

# Rows of tables leave out what is zero.
CORE_TEST_CFLAGS := -Wno-missing-field-initializers
$(B)/tests/unit/core/%.o: CFLAGS += $(CORE_TEST_CFLAGS)
$(B)/core-asan/%.o: CFLAGS += $(CORE_TEST_CFLAGS) -fsanitize=address,undefined \
	-fno-sanitize-recover=all
$(B)/core-tsan/%.o: CFLAGS += $(CORE_TEST_CFLAGS) -fsanitize=thread

$(B)/core-asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/core-tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(CORE_TESTS): $(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/core/*.c)) $(B)/libaif-core.a
	$(CC) -o $@ $^ -lcmocka -lpthread

$(CORE_TESTS).asan: $(CORE_TEST_SRCS:%.c=$(B)/core-asan/%.o)
	$(CC) -fsanitize=address,undefined -o $@ $^ -lcmocka -lpthread

$(CORE_TESTS).tsan.bin: $(CORE_TEST_SRCS:%.c=$(B)/core-tsan/%.o)
	$(CC) -fsanitize=thread -o $@ $^ -lcmocka -lpthread

$(CORE_TESTS).tsan: tests/unit/core/tsan.sh $(CORE_TESTS).tsan.bin
	install -m 755 $< $@

UNIT_TESTS += $(CORE_TESTS) $(CORE_TESTS).asan $(CORE_TESTS).tsan
