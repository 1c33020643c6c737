# SPDX-License-Identifier: MIT
# Every operation with every allocation and user copy of it failing, in turn.

FAILNTH := $(B)/tests/failnth/failnth
TESTBINS += $(FAILNTH)
RIG_TESTS += tests/failnth/test_failnth.sh
STATIC_TESTS += tests/failnth/rows_complete

# Rows of tables leave out what is zero.
$(B)/tests/failnth/%.o: CFLAGS += -Wno-missing-field-initializers

$(FAILNTH): $(patsubst %.c,$(B)/%.o,$(wildcard tests/failnth/*.c)) \
		$(addprefix $(B)/tests/uapi/,raw.o cgroup.o exporter.o)
	$(CC) -o $@ $^ -luring
