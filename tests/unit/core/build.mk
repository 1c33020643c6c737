# SPDX-License-Identifier: MIT
# The core's tests in three programs: plain, under ASan + UBSan, under TSan.
# They are KUnit's (kmod/tests/); kunit/ here is what they include in its place.

CORE_TESTS := $(B)/tests/unit/core/test_core
CORE_TEST_SRCS := $(wildcard tests/unit/core/*.c) \
	$(patsubst %,kmod/tests/aif_%_kunit.c,req desc service_desc heap sched chunk bucket rt engine)

# Rows of tables leave out what is zero; what a test does not look at is unused.
CORE_TEST_CFLAGS := -Itests/unit/core -Ikmod/tests -Wno-missing-field-initializers
$(B)/tests/unit/core/%.o $(B)/kmod/tests/%.o: CFLAGS += $(CORE_TEST_CFLAGS)
$(B)/core-asan/%.o: CFLAGS += $(CORE_TEST_CFLAGS) -fsanitize=address,undefined \
	-fno-sanitize-recover=all
$(B)/core-tsan/%.o: CFLAGS += $(CORE_TEST_CFLAGS) -fsanitize=thread

$(B)/core-asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/core-tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(CORE_TESTS): $(CORE_TEST_SRCS:%.c=$(B)/%.o) $(B)/libaif-core.a
	$(CC) -o $@ $^ -lcmocka -lpthread

$(CORE_TESTS).asan: $(patsubst %.c,$(B)/core-asan/%.o,$(CORE_SRCS) $(CORE_TEST_SRCS))
	$(CC) -fsanitize=address,undefined -o $@ $^ -lcmocka -lpthread

$(CORE_TESTS).tsan.bin: $(patsubst %.c,$(B)/core-tsan/%.o,$(CORE_SRCS) $(CORE_TEST_SRCS))
	$(CC) -fsanitize=thread -o $@ $^ -lcmocka -lpthread

$(CORE_TESTS).tsan: tests/unit/core/tsan.sh $(CORE_TESTS).tsan.bin
	install -m 755 $< $@

# The scheduler simulated: sim takes --seeds N for as many as one likes.
CORE_SIM := $(B)/tests/unit/core/sim/sim
CORE_SIM_SRCS := $(wildcard tests/unit/core/sim/*.c)

$(CORE_SIM): $(CORE_SIM_SRCS:%.c=$(B)/%.o) $(B)/libaif-core.a
	$(CC) -o $@ $^ -lm

$(CORE_SIM).asan: $(patsubst %.c,$(B)/core-asan/%.o,$(CORE_SRCS) $(CORE_SIM_SRCS))
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -o $@ $^ -lm

UNIT_TESTS += $(CORE_TESTS) $(CORE_TESTS).asan $(CORE_TESTS).tsan $(CORE_SIM).asan
