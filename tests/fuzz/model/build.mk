# SPDX-License-Identifier: MIT
# Fuzzes what runtime/model/ parses.  Without clang's fuzzer the programs are not
# built, and their tests say so and skip.

FUZZ_MODEL := $(B)/tests/fuzz/model
FUZZ_MODEL_BINS := $(FUZZ_MODEL)/fuzz_safetensors $(FUZZ_MODEL)/fuzz_wordpiece
FUZZ_SECONDS ?= 20
FUZZ_MODEL_FLAGS := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

$(FUZZ_MODEL)/fuzz_safetensors: tests/fuzz/model/fuzz_safetensors.c \
	$(addprefix runtime/model/,safetensors.c why.c)
$(FUZZ_MODEL)/fuzz_wordpiece: tests/fuzz/model/fuzz_wordpiece.c \
	$(addprefix runtime/model/,wordpiece.c bert_chars.c why.c)

$(FUZZ_MODEL_BINS): $(wildcard runtime/model/*.h) runtime/include/aif_model.h
	@mkdir -p $(@D)
	@if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		$(CLANG) $(FUZZ_MODEL_FLAGS) -x c -o /dev/null - 2>/dev/null; then \
		set -x; $(CLANG) $(CPPFLAGS) $(CFLAGS) $(FUZZ_MODEL_FLAGS) -o $@ $(filter %.c,$^) \
			$(MODEL_LIBS); \
	fi

$(FUZZ_MODEL)/run: tests/fuzz/model/run.sh $(FUZZ_MODEL_BINS) $(wildcard tests/fuzz/model/*.dict)
	install -m 644 tests/fuzz/model/*.dict $(@D)
	install -m 755 $< $@

UNIT_TESTS += $(FUZZ_MODEL)/run

.PHONY: fuzz-model
fuzz-model: $(FUZZ_MODEL)/run	## fuzz the model's parsers for FUZZ_SECONDS (20) each
	$< -max_total_time=$(FUZZ_SECONDS)
