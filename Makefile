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
STATIC_TESTS :=	# what reads the sources only
UNIT_TESTS :=	# host test programs and scripts; each prints TAP
LONG_TESTS :=	# the same, which take minutes: CUDA without a GPU, clients of the gateway
GUEST_TESTS :=	# host scripts that boot a guest; each prints TAP
RIG_TESTS :=	# the same, for what looks for bugs: debug kernel, fault injection, fuzzing
TESTBINS :=	# test programs that run in the guest
BENCHES :=	# benchmark programs

.DEFAULT_GOAL := all
-include $(sort $(wildcard */build.mk */*/build.mk */*/*/build.mk))

.PHONY: all tests deps check check-fast demo bench help clean
all: $(PROGRAMS)	## build aif, aifd and aif-gateway into build/
tests: all module $(UNIT_TESTS) $(LONG_TESTS) $(TESTBINS)

deps:			## install the Debian packages that are missing
	@tools/install-deps

# Parsed again after the packages are there: what is built depends on them.
demo:			## a real model behind /dev/aif, in a guest; under 5 minutes
	@tools/install-deps build demo
	@$(MAKE) --no-print-directory -j2 all module
	@tools/demo

check:			## build everything, the debug kernel too, and run all tests
	@tools/install-deps
	@tools/fetch-nvcc >/dev/null || echo "no CUDA kernels then; their twins are tested" >&2
	@$(MAKE) --no-print-directory -j2 tests
	@$(MAKE) --no-print-directory module-debug
	@$(MAKE) --no-print-directory run-tests

check-fast:		## only what needs no guest and takes no minutes
	@$(MAKE) --no-print-directory -j2 tests LONG_TESTS=
	@$(MAKE) --no-print-directory run-tests LONG_TESTS= GUEST_TESTS= RIG_TESTS=

.PHONY: run-tests
run-tests:
	@tests/run $(STATIC_TESTS:%=static:%) $(UNIT_TESTS:%=unit:%) $(LONG_TESTS:%=long:%) \
		$(GUEST_TESTS:%=guest:%) $(RIG_TESTS:%=rig:%)

bench: tests $(BENCHES)	## measure; see tests/bench/README.md
	@tests/bench/run

help:			## this list
	@awk -F ':.*##' '/^[a-z-]+:.*##/ {printf "make %-12s%s\n", $$1, $$2}' $(MAKEFILE_LIST) | \
		tr -d '\t' | sort

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' -not -path '$(B)/kmod-*' 2>/dev/null)
