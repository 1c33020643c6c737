# SPDX-License-Identifier: MIT

LIB_TEST := $(B)/tests/unit/lib/test_lib
LIB_FAIL := $(B)/tests/unit/lib/test_fail
UNIT_TESTS += $(LIB_TEST) $(LIB_FAIL) tests/unit/lib/test_include.sh

# Rows of tables leave out what is zero.
$(B)/tests/unit/lib/%.o: CFLAGS += -Wno-missing-field-initializers

$(LIB_TEST): $(LIB_TEST).o $(B)/libaif.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -lcmocka -pthread

# The library under sanitizers, as the conformance tests have it; what it asks for goes
# through the test.
LIB_FAIL_WRAPS := malloc calloc reallocarray strndup memfd_create posix_fallocate eventfd mmap \
	pthread_create

$(LIB_FAIL): $(patsubst %.c,$(B)/conform-asan/%.o,tests/unit/lib/test_fail.c \
		$(wildcard runtime/lib/*.c kmod/core/*.c))
	$(CC) -fsanitize=address,undefined $(LIB_FAIL_WRAPS:%=-Wl,--wrap=%) -o $@ $^ $(LDFLAGS) \
		-lcmocka -pthread
