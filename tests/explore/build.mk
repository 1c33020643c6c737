# SPDX-License-Identifier: MIT
# The core's states, explored.

EXPLORE := $(B)/tests/explore/explore
EXPLORE_SRCS := $(wildcard tests/explore/*.c)

$(EXPLORE): $(EXPLORE_SRCS:%.c=$(B)/%.o) $(B)/libaif-core.a
	$(CC) -o $@ $^

UNIT_TESTS += $(EXPLORE)
