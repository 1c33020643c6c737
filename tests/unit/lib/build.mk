# SPDX-License-Identifier: MIT

LIB_TEST := $(B)/tests/unit/lib/test_lib
UNIT_TESTS += $(LIB_TEST) tests/unit/lib/test_include.sh

# Rows of tables leave out what is zero.
$(B)/tests/unit/lib/%.o: CFLAGS += -Wno-missing-field-initializers

$(LIB_TEST): $(LIB_TEST).o $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcmocka -pthread
