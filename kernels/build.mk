# SPDX-License-Identifier: MIT
#
# libaif-model.a collects operators, backends, models and steps: each room adds
# its objects as prerequisites, the recipe stands here.  (ar q, not r: r keeps
# only one of several members called ref.o.)
#
# Fast operators, cpu.c, are compiled once per instruction set; kernels/isa.c
# chooses among them at run time.

include kernels/cuda.mk

KERNELS_ISAS := portable
ifeq ($(firstword $(subst -, ,$(shell $(CC) -dumpmachine))),x86_64)
KERNELS_ISAS += avx2 avx512
endif

KERNELS_FAST := kernels/cpu.c $(wildcard kernels/*/cpu.c)
KERNELS_OBJS := $(patsubst %.c,$(B)/%.o,kernels/isa.c kernels/ref.c $(wildcard kernels/*/ref.c)) \
	$(foreach isa,$(KERNELS_ISAS),$(KERNELS_FAST:%.c=$(B)/%.$(isa).o))

$(B)/kernels/%.portable.o: CFLAGS += -O3 -DAIF_ISA=portable
$(B)/kernels/%.avx2.o: CFLAGS += -O3 -mavx2 -mfma -DAIF_ISA=avx2
$(B)/kernels/%.avx512.o: CFLAGS += -O3 -mavx512f -mavx512dq -mfma -DAIF_ISA=avx512

define KERNELS_RULE
$(B)/kernels/%.$(1).o: kernels/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(CFLAGS) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(KERNELS_ISAS),$(eval $(call KERNELS_RULE,$(isa))))

$(B)/libaif-model.a: $(KERNELS_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) qcs $@ $^
