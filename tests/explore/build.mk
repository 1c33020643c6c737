# SPDX-License-Identifier: MIT
# The core's states, explored: all of it, and in small under ASan + UBSan.

EXPLORE := $(B)/tests/explore/explore
EXPLORE_SRCS := $(wildcard tests/explore/*.c)

$(EXPLORE): $(EXPLORE_SRCS:%.c=$(B)/%.o) $(B)/libaif-core.a
	$(CC) -o $@ $^

$(B)/explore-asan/%.o: CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all
$(B)/explore-asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(EXPLORE).asan.bin: $(patsubst %.c,$(B)/explore-asan/%.o,$(EXPLORE_SRCS) $(CORE_SRCS))
	$(CC) -fsanitize=address,undefined -o $@ $^

$(EXPLORE).asan: tests/explore/asan.sh $(EXPLORE).asan.bin
	install -m 755 $< $@

UNIT_TESTS += $(EXPLORE) $(EXPLORE).asan
