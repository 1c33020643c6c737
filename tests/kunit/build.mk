# SPDX-License-Identifier: MIT
# The suites are in kmod/tests/ and in the module that `make module-debug` builds.

RIG_TESTS += tests/kunit/test_kunit.sh
UNIT_TESTS += tests/kunit/test_flatten.sh
