# SPDX-License-Identifier: MIT
# KEYS_OBJS: what reads and writes the key file; IDENTITY_OBJS: that, and what checks a
# request by it.  Both need libaif-model.a (why.h) and MODEL_LIBS.

KEYS_OBJS := $(patsubst %,$(B)/runtime/gateway/%.o,key keys)
IDENTITY_OBJS := $(KEYS_OBJS) $(patsubst %,$(B)/runtime/gateway/%.o,identity sigv4)
