# SPDX-License-Identifier: MIT
#
# Under sanitizers, in a build folder of their own:
#   make B=build/asan OPT="-O1 -g -fsanitize=address,undefined" \
#        build/asan/tests/unit/kernels/test_kernels

KERNELS_TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/kernels/test_*.c))

UNIT_TESTS += $(KERNELS_TESTS)

$(KERNELS_TESTS): %: %.o $(B)/tests/unit/kernels/rig.o $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ -lcmocka -lm -pthread
