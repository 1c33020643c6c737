# SPDX-License-Identifier: MIT
# Programs that know nothing but <linux/aif.h>; they run in a guest.

UAPI_TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/uapi/test_*.c))
TESTBINS += $(UAPI_TESTS)
GUEST_TESTS += $(wildcard tests/uapi/test_*.sh)

# Rows of tables leave out what is zero.
$(B)/tests/uapi/%.o: CFLAGS += -Wno-missing-field-initializers

$(UAPI_TESTS): %: %.o $(B)/tests/uapi/raw.o
	$(CC) -o $@ $^ -luring -lcmocka -lpthread
