# SPDX-License-Identifier: MIT

$(B)/libaif-model.a: $(patsubst %.c,$(B)/%.o,$(wildcard runtime/model/*.c))

# What a program that links libaif-model.a links behind it.
MODEL_LIBS := -ljansson -lutf8proc -lcrypto -lm -pthread
