# SPDX-License-Identifier: MIT
#
# One non-recursive make for user space; the module is built by the kernel's
# own Kbuild.  Each room adds a build.mk beside its sources; all objects go
# under build/, mirroring the source path.

VERSION := $(shell cat VERSION)
B := build
KVER ?= $(shell ls -d /lib/modules/6.12*/build 2>/dev/null | sort -V | tail -n1 | cut -d/ -f4)
KDIR ?= /lib/modules/$(KVER)/build
AIF_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/aif

CC ?= cc
CLANG ?= clang
OPT ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
CPPFLAGS += -I. -Iruntime/include -Iuapi -Ikmod/core -D_GNU_SOURCE -DAIF_VERSION='"$(VERSION)"'
CFLAGS += -std=gnu11 $(OPT) $(WARN) -fPIC -fvisibility=hidden

# A room's build.mk adds to these.
PROGRAMS :=	# what `make` builds for the user
UNIT_TESTS :=	# host test programs and scripts; each prints TAP
TESTBINS :=	# test programs that run in the guest
BENCHES :=	# benchmark programs

.DEFAULT_GOAL := all
-include $(sort $(wildcard */build.mk */*/build.mk */*/*/build.mk))

.PHONY: all tests module help clean
all: $(PROGRAMS)
tests: $(UNIT_TESTS) $(TESTBINS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' -not -path '$(B)/kmod-*' 2>/dev/null)
