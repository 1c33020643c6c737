# SPDX-License-Identifier: MIT
# Random operations from several processes against a model of the module.

GUEST_FUZZ := $(B)/tests/fuzz/guest/fuzz
TESTBINS += $(GUEST_FUZZ)
RIG_TESTS += tests/fuzz/guest/test_fuzz.sh

# Structures made in place leave out what is zero.
$(B)/tests/fuzz/guest/%.o: CFLAGS += -Wno-missing-field-initializers

$(GUEST_FUZZ): $(patsubst %.c,$(B)/%.o,$(wildcard tests/fuzz/guest/*.c)) \
		$(addprefix $(B)/tests/recovery/,party.o door.o) \
		$(addprefix $(B)/tests/uapi/,raw.o ops.o exporter.o)
	$(CC) -o $@ $^ -luring -lcmocka -lpthread
