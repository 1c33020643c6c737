# SPDX-License-Identifier: MIT
# libaif: the library of applications, executors and tools.

LIBAIF_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard runtime/lib/*.c kmod/core/*.c))
LIBAIF_MAP := runtime/lib/libaif.map

PROGRAMS += $(B)/libaif.a $(B)/libaif.so

$(B)/libaif.a: $(LIBAIF_OBJS)
	rm -f $@
	$(AR) rcs $@ $^

# The link fails where the header, the map and the object files disagree.
$(B)/libaif.so: $(LIBAIF_OBJS) $(LIBAIF_MAP) runtime/include/libaif.h runtime/lib/check-symbols
	$(CC) -shared -Wl,-soname,libaif.so.0 -Wl,--version-script,$(LIBAIF_MAP) -Wl,-z,defs \
		-o $@.tmp $(LIBAIF_OBJS) $(LDFLAGS) -pthread
	runtime/lib/check-symbols runtime/include/libaif.h $(LIBAIF_MAP) $@.tmp
	mv $@.tmp $@
