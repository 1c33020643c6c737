# SPDX-License-Identifier: MIT
# Does a device keep to <linux/aif.h>?  One table, every transport: here the local
# device, plain and under sanitizers; in a guest the kernel's.

CONFORM := $(B)/tests/conform/test_conform
CONFORM_OWN := $(wildcard tests/conform/*.c) tests/uapi/exporter.c
CONFORM_SRCS := $(CONFORM_OWN) $(wildcard runtime/lib/*.c kmod/core/*.c)

UNIT_TESTS += $(CONFORM) $(CONFORM).asan $(CONFORM).tsan

$(CONFORM): $(CONFORM_OWN:%.c=$(B)/%.o) $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -luring -pthread

$(B)/conform-asan/%.o: CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all
$(B)/conform-tsan/%.o: CFLAGS += -fsanitize=thread

$(B)/conform-asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/conform-tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(CONFORM).asan: $(CONFORM_SRCS:%.c=$(B)/conform-asan/%.o)
	$(CC) -fsanitize=address,undefined -o $@ $^ $(LDFLAGS) -luring -pthread

$(CONFORM).tsan.bin: $(CONFORM_SRCS:%.c=$(B)/conform-tsan/%.o)
	$(CC) -fsanitize=thread -o $@ $^ $(LDFLAGS) -luring -pthread

# The wrapper puts the address space where ThreadSanitizer can follow it.
$(CONFORM).tsan: tests/unit/core/tsan.sh $(CONFORM).tsan.bin
	install -m 755 $< $@
