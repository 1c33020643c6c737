# SPDX-License-Identifier: MIT
#
# The guest runner's own tests, and the module that gives them real trouble.

GUEST_TROUBLE := $(B)/tests/guest/trouble-$(KVER)/trouble.ko

# Kbuild puts its objects beside the source, so it gets a copy.
$(GUEST_TROUBLE): tests/guest/trouble/trouble.c tests/guest/trouble/Kbuild
	@mkdir -p $(@D)
	cp $^ $(@D)/
	$(MAKE) -C $(KDIR) M=$(abspath $(@D)) modules

UNIT_TESTS += tests/guest/test_runner_log.py
GUEST_TESTS += tests/guest/test_runner_results.sh tests/guest/test_runner_failures.sh \
	tests/guest/test_runner_kernel.sh
RIG_TESTS += tests/guest/test_runner_debug.sh
TESTBINS += $(GUEST_TROUBLE)

.PHONY: guest guest-trouble
guest-trouble: $(GUEST_TROUBLE)

guest: all module	## a root shell in a guest with the module loaded
	tests/guest/run --shell
