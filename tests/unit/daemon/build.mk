# SPDX-License-Identifier: MIT

APART_TEST := $(B)/tests/unit/daemon/test_apart
UNIT_TESTS += $(APART_TEST)

$(APART_TEST): $(APART_TEST).o $(B)/runtime/daemon/apart.o
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcmocka
