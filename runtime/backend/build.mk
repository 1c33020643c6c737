# SPDX-License-Identifier: MIT

$(B)/libaif-model.a: $(patsubst %.c,$(B)/%.o,$(wildcard runtime/backend/*.c runtime/backend/*/*.c))
