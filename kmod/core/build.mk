# SPDX-License-Identifier: MIT
# The policy core in user space: libaif's local device and the tests link it.

CORE_SRCS := $(wildcard kmod/core/*.c)

$(B)/libaif-core.a: $(CORE_SRCS:%.c=$(B)/%.o)
	rm -f $@
	$(AR) rcs $@ $^
