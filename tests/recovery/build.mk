# SPDX-License-Identifier: MIT
# Death, recovery, and everything that can go wrong with a ring.

RECOVERY_TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/recovery/test_*.c))
TESTBINS += $(RECOVERY_TESTS)

# Rows of tables, and structures made in place, leave out what is zero.
$(B)/tests/recovery/%.o: CFLAGS += -Wno-missing-field-initializers

$(RECOVERY_TESTS): %: %.o $(addprefix $(B)/tests/recovery/,party.o door.o side.o) \
		$(B)/tests/uapi/raw.o
	$(CC) -o $@ $^ -luring -lcmocka -lpthread
