# SPDX-License-Identifier: MIT
#
# The guest runner's own tests, and the module that gives them real trouble.

GUEST_TROUBLE := $(B)/tests/guest/trouble/trouble.ko

# Kbuild puts its objects beside the source, so it gets a copy.
$(GUEST_TROUBLE): tests/guest/trouble/trouble.c tests/guest/trouble/Kbuild
	@mkdir -p $(@D)
	cp $^ $(@D)/
	$(MAKE) -C $(KDIR) M=$(abspath $(@D)) modules

UNIT_TESTS += tests/guest/test_runner_log.py tests/guest/test_runner_results.sh \
	tests/guest/test_runner_failures.sh tests/guest/test_runner_kernel.sh
ifneq ($(wildcard $(KDIR)),)
tests/guest/test_runner_failures.sh: $(GUEST_TROUBLE)
endif

.PHONY: guest
guest: all module
	tests/guest/run --shell
