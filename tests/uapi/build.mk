# SPDX-License-Identifier: MIT
# Programs that know nothing but <linux/aif.h>; they run in a guest.

UAPI_TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/uapi/test_*.c))
TESTBINS += $(UAPI_TESTS)
STATIC_TESTS += tests/uapi/layout_complete
GUEST_TESTS += tests/uapi/test_disk.sh tests/uapi/test_not_quiet.sh tests/uapi/test_edu.sh
RIG_TESTS += tests/uapi/test_edu_debug.sh

# Rows of tables leave out what is zero.
$(B)/tests/uapi/%.o: CFLAGS += -Wno-missing-field-initializers
$(B)/tests/uapi/layout.o: CFLAGS += -Wpadded
$(B)/tests/uapi/vgem.o: CPPFLAGS += $(shell pkg-config --cflags libdrm)

$(UAPI_TESTS): %: %.o $(addprefix $(B)/tests/uapi/,raw.o cgroup.o mock.o ops.o exporter.o layout.o)
	$(CC) -o $@ $^ -luring -lcmocka -lpthread $(LDLIBS)
$(B)/tests/uapi/test_import: $(B)/tests/uapi/vgem.o
$(B)/tests/uapi/test_import: LDLIBS := -ldrm
