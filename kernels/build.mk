# SPDX-License-Identifier: MIT
#
# libaif-model.a collects operators, backends, models and steps: each room adds
# its objects as prerequisites, the recipe stands here.  (ar q, not r: r keeps
# only one of several members called ref.o.)

KERNELS_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard kernels/*.c kernels/*/ref.c))

$(B)/libaif-model.a: $(KERNELS_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) qcs $@ $^
