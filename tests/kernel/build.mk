# SPDX-License-Identifier: MIT
#
# The debug kernel, and the module built for it.

DEBUG_KERNEL := tests/kernel/debug
DEBUG_KDIR = $(wildcard $(shell $(DEBUG_KERNEL))/lib/modules/*/build)

RIG_TESTS += tests/kernel/test_debug.sh

.PHONY: debug-kernel module-debug
debug-kernel:		## build the kernel that looks for bugs, once: 8 to 15 minutes
	@$(DEBUG_KERNEL)

# Another make, because the kernel's release is known only when it is built.
module-debug: debug-kernel	## build the module for it, with KUnit tests and KCOV
	@$(MAKE) --no-print-directory module guest-trouble KDIR=$(DEBUG_KDIR) \
		KVER=$(notdir $(patsubst %/build,%,$(DEBUG_KDIR))) AIF_KUNIT=y AIF_KCOV=y
