# SPDX-License-Identifier: MIT
STATIC_TESTS += tests/static/checkpatch tests/static/shellcheck tests/static/kbuild
