# SPDX-License-Identifier: MIT

UNIT_TESTS += tests/test_run.py
