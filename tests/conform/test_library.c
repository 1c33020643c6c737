// SPDX-License-Identifier: MIT
#include "conform.h"
const struct test library_tests[] = { { 0 } };
