# SPDX-License-Identifier: MIT
# The module's suites in four guests: stock and debug kernel, io_uring allowed and forbidden.

GUEST_TESTS += $(wildcard tests/suite/test_stock*.sh)
RIG_TESTS += $(wildcard tests/suite/test_debug*.sh)
