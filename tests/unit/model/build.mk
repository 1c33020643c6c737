# SPDX-License-Identifier: MIT
# What parses also runs under ASan and UBSan.

MODEL_TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/model/test_*.c))
MODEL_ASAN_TESTS := $(addprefix $(B)/tests/unit/model/,test_safetensors.asan test_wordpiece.asan)
MODEL_ASAN_OBJS := $(patsubst %.c,$(B)/model-asan/%.o,tests/unit/model/refs.c \
	$(addprefix runtime/model/,why.c safetensors.c bert_chars.c wordpiece.c sha256.c))
MODEL_FETCH_TEST := $(B)/tests/unit/model/test_fetch_model

$(MODEL_TESTS): %: %.o $(B)/tests/unit/model/refs.o $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ -lcmocka $(MODEL_LIBS)

$(B)/model-asan/%.o: CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all
$(B)/model-asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(MODEL_ASAN_TESTS): $(B)/%.asan: $(B)/model-asan/%.o $(MODEL_ASAN_OBJS)
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -o $@ $^ -lcmocka $(MODEL_LIBS)

$(MODEL_FETCH_TEST): tests/unit/model/test_fetch_model.sh
	@mkdir -p $(@D)
	install -m 755 $< $@

UNIT_TESTS += $(MODEL_TESTS) $(MODEL_ASAN_TESTS) $(MODEL_FETCH_TEST)
