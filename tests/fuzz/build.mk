# SPDX-License-Identifier: MIT
#
# Fuzz targets of what parses in user space: tests/fuzz/NAME/fuzz_NAME.c with its
# corpus/ and perhaps a dictionary.  FUZZ_NAME_SRCS is what is fuzzed: it alone has
# edges and lines that are counted, of all its files; FUZZ_NAME_LIBS is what it needs besides.
# Without clang's fuzzer nothing is built, and tests/fuzz/run says so and skips.

FUZZ_NAMES := conf desc folder http keys safetensors service sigv4 tensor texts vocab wordpiece

FUZZ_conf_SRCS := runtime/daemon/conf.c
FUZZ_conf_LIBS = $(filter-out %/conf.o,$(SERVE_OBJS)) $(B)/libaif.a $(B)/libaif-model.a \
	$(SERVE_LIBS)
FUZZ_desc_SRCS := kmod/core/aif_desc.c
FUZZ_folder_SRCS := $(addprefix runtime/model/,model.c file.c bert_config.c bert_weights.c)
FUZZ_folder_LIBS = $(B)/libaif-model.a $(MODEL_LIBS)
FUZZ_http_SRCS := $(addprefix runtime/gateway/,h1.c h2.c conn.c exchange.c route.c inference.c \
	inflate.c embedding.c json.c $(notdir $(wildcard runtime/gateway/api_*.c)))
FUZZ_http_LIBS = $(filter-out $(patsubst %.c,%.o,$(addprefix $(B)/,$(FUZZ_http_SRCS))) %/gateway.o,\
	$(patsubst %.c,$(B)/%.o,$(wildcard runtime/gateway/*.c))) $(SERVE_OBJS) $(B)/libaif.a \
	$(B)/libaif-model.a $(GATEWAY_LIBS)
FUZZ_keys_SRCS := $(addprefix runtime/gateway/,keys.c key.c)
FUZZ_keys_LIBS = $(B)/libaif-model.a $(MODEL_LIBS)
FUZZ_safetensors_SRCS := runtime/model/safetensors.c
FUZZ_safetensors_LIBS = $(B)/runtime/model/why.o $(MODEL_LIBS)
FUZZ_service_SRCS := runtime/lib/service.c
FUZZ_service_LIBS = $(B)/libaif.a -pthread
FUZZ_sigv4_SRCS := $(addprefix runtime/gateway/,sigv4.c sigv4_canonical.c identity.c identity_text.c)
FUZZ_sigv4_LIBS = $(KEYS_OBJS) $(B)/libaif-model.a $(MODEL_LIBS)
FUZZ_tensor_SRCS := tools/tensor.c
FUZZ_tensor_LIBS = $(B)/tools/cli.o $(B)/libaif.a $(B)/libaif-model.a $(MODEL_LIBS)
FUZZ_texts_SRCS := tools/texts.c
FUZZ_vocab_SRCS := $(addprefix runtime/model/,wordpiece.c bert_chars.c)
FUZZ_vocab_LIBS = $(B)/runtime/model/why.o $(MODEL_LIBS)
FUZZ_wordpiece_SRCS = $(FUZZ_vocab_SRCS)
FUZZ_wordpiece_LIBS = $(FUZZ_vocab_LIBS)

FUZZ_SECONDS ?= 60
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_COUNTED := -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping
FUZZ_LINK := -fsanitize=fuzzer -fprofile-instr-generate

# Asked once, and only by who would compile.
FUZZ_HAVE = $(eval FUZZ_HAVE := $(shell echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
	$(CLANG) $(FUZZ_SANITIZE) $(FUZZ_LINK) -x c -o /dev/null - 2>/dev/null && echo yes))$(FUZZ_HAVE)

$(B)/fuzz/counted/%.o: %.c
	@mkdir -p $(@D)
	$(if $(FUZZ_HAVE),$(CLANG) $(CPPFLAGS) $(CFLAGS) $(FUZZ_SANITIZE) $(FUZZ_COUNTED) \
		-MMD -MP -c -o $@ $<,@:)

$(B)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(if $(FUZZ_HAVE),$(CLANG) $(CPPFLAGS) $(CFLAGS) -Itests/fuzz $(FUZZ_SANITIZE) \
		-MMD -MP -c -o $@ $<,@:)

define FUZZ_RULE
$(B)/fuzz/$(1)/fuzz: $(patsubst %.c,$(B)/fuzz/%.o,tests/fuzz/fuzz.c $(wildcard tests/fuzz/$(1)/*.c)) \
		$(FUZZ_$(1)_SRCS:%.c=$(B)/fuzz/counted/%.o) $$(filter $(B)/%,$$(FUZZ_$(1)_LIBS))
	@mkdir -p $$(@D)
	@echo $(FUZZ_$(1)_SRCS) >$$(@D)/sources
	$$(if $$(FUZZ_HAVE),$$(CLANG) $$(FUZZ_SANITIZE) $$(FUZZ_LINK) -o $$@ \
		$$(filter-out $(B)/%.a,$$^) $$(filter-out %.o,$$(FUZZ_$(1)_LIBS)),@:)

.PHONY: fuzz-$(1)
fuzz-$(1): $(B)/fuzz/$(1)/fuzz
	tests/fuzz/run --seconds $(FUZZ_SECONDS) $(1)
endef
$(foreach name,$(FUZZ_NAMES),$(eval $(call FUZZ_RULE,$(name))))

.PHONY: fuzz
fuzz: $(FUZZ_NAMES:%=$(B)/fuzz/%/fuzz)	## fuzz each parser for FUZZ_SECONDS (60); or fuzz-NAME
	tests/fuzz/run --seconds $(FUZZ_SECONDS)

UNIT_TESTS += tests/fuzz/run
tests/fuzz/run: $(FUZZ_NAMES:%=$(B)/fuzz/%/fuzz)
