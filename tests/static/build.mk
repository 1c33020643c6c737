# SPDX-License-Identifier: MIT

STATIC_TESTS += $(addprefix tests/static/,checkpatch kbuild coccinelle shellcheck python analyzer \
	clang install)

# What gcc's analyzer is wrong about, file by file, and why.
ifdef ANALYZER
# The compiler's version 12 loses what a table of pointers and vector types hold.
$(addprefix $(B)/runtime/lib/,local_grant.o mapping.o): CFLAGS += -Wno-analyzer-malloc-leak
$(B)/kernels/%.o: CFLAGS += -Wno-analyzer-shift-count-overflow
# What fills the standard descriptors is left open on purpose.
$(B)/runtime/daemon/aifd.o: CFLAGS += -Wno-analyzer-fd-leak
# What holds a reference is lost to it: the list of regions.
$(B)/runtime/gateway/shm.o: CFLAGS += -Wno-analyzer-malloc-leak
# aif_why_set(), in another file, returns the error that it is given: never 0.
$(B)/runtime/model/file.o: CFLAGS += -Wno-analyzer-use-of-uninitialized-value
# A ring of 8 has room for 3, and each of the 3 completions fills in its result.
$(B)/runtime/examples/ring_chain.o: CFLAGS += -Wno-analyzer-null-dereference \
	-Wno-analyzer-use-of-uninitialized-value
endif
