# SPDX-License-Identifier: MIT
# aif-gateway: HTTP in, requests out.
# KEYS_OBJS: what reads and writes the key file; IDENTITY_OBJS: that, and what checks a
# request by it.  Both need libaif-model.a (why.h) and MODEL_LIBS.

GATEWAY := $(B)/aif-gateway
PROGRAMS += $(GATEWAY)

KEYS_OBJS := $(patsubst %,$(B)/runtime/gateway/%.o,key keys)
IDENTITY_OBJS := $(KEYS_OBJS) $(patsubst %,$(B)/runtime/gateway/%.o,identity identity_text sigv4 \
	sigv4_canonical)
GATEWAY_LIBS = -lev -lhttp_parser -lnghttp2 -lssl -lz $(SERVE_LIBS)

$(GATEWAY): $(patsubst %.c,$(B)/%.o,$(wildcard runtime/gateway/*.c)) $(SERVE_OBJS) \
		$(B)/libaif.a $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(GATEWAY_LIBS)
