# SPDX-License-Identifier: MIT
# aifd, and SERVE_OBJS: what a program links to execute a service's requests itself.

AIFD := $(B)/aifd
PROGRAMS += $(AIFD)

SERVE_OBJS := $(patsubst %,$(B)/runtime/daemon/%.o,apart conf kind kind_echo kind_embed local log models place serve)
SERVE_LIBS = -lconfuse $(MODEL_LIBS)
AIFD_OBJS := $(SERVE_OBJS) $(patsubst %,$(B)/runtime/daemon/%.o,aifd supervisor worker)

$(AIFD): $(AIFD_OBJS) $(B)/libaif.a $(B)/libaif-model.a
	$(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) $(SERVE_LIBS)
