# SPDX-License-Identifier: MIT
# Fuzzes kmod/core/aif_desc.c.  Without clang's fuzzer the program is not built,
# and its test says so and skips.

FUZZ_DESC := $(B)/tests/fuzz/desc
FUZZ_DESC_SRCS := $(addprefix tests/fuzz/desc/,fuzz_desc.c oracle.c) kmod/core/aif_desc.c
FUZZ_DESC_FLAGS := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_SECONDS ?= 20

$(FUZZ_DESC)/fuzz_desc: $(FUZZ_DESC_SRCS) $(wildcard tests/fuzz/desc/*.h kmod/core/*.h) \
		uapi/linux/aif.h
	@mkdir -p $(@D)
	@if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		$(CLANG) $(FUZZ_DESC_FLAGS) -x c -o /dev/null - 2>/dev/null; then \
		set -x; $(CLANG) $(CPPFLAGS) $(CFLAGS) $(FUZZ_DESC_FLAGS) -o $@ $(FUZZ_DESC_SRCS); \
	fi

$(FUZZ_DESC)/run: tests/fuzz/desc/run.sh $(FUZZ_DESC)/fuzz_desc
	install -m 755 $< $@

UNIT_TESTS += $(FUZZ_DESC)/run

.PHONY: fuzz-desc
fuzz-desc: $(FUZZ_DESC)/run	## fuzz the descriptor checks for FUZZ_SECONDS (20)
	$< -max_total_time=$(FUZZ_SECONDS)
