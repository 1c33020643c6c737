# SPDX-License-Identifier: MIT
# The `aif` command: a file for each subcommand.

$(B)/tools/hardware.o: CPPFLAGS += $(shell pkg-config --cflags libdrm)

AIF := $(B)/aif
PROGRAMS += $(AIF)

$(AIF): $(patsubst %.c,$(B)/%.o,$(wildcard tools/*.c)) $(SERVE_OBJS) $(KEYS_OBJS) \
		$(B)/libaif.a $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(SERVE_LIBS) -luring -ldrm $(shell pkg-config --libs ncursesw)
