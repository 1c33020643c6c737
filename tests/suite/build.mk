# SPDX-License-Identifier: MIT
# The module's suites in four guests: stock and debug kernel, io_uring allowed and
# forbidden; and those of engines in two whose devices go through bounce buffers.  They
# take longest, and two programs run at once: they go first.

GUEST_TESTS := $(wildcard tests/suite/test_stock*.sh) $(GUEST_TESTS)
RIG_TESTS := $(wildcard tests/suite/test_debug*.sh) $(RIG_TESTS)
