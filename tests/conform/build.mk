# SPDX-License-Identifier: MIT
# Does a device keep to <linux/aif.h>?  One table, every transport.

CONFORM := $(B)/tests/conform/test_conform
UNIT_TESTS += $(CONFORM)
TESTBINS += $(CONFORM)

$(CONFORM): $(patsubst %.c,$(B)/%.o,$(wildcard tests/conform/*.c)) $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -pthread
