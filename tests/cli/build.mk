# SPDX-License-Identifier: MIT
# The command and the daemon as a person uses them: on this machine, and in a guest.

CLI_GUEST_TESTS := $(patsubst %,tests/cli/test_%.sh,aifd device gateway gateway_shm hardware ids probe transfer)
CLI_RIG_TESTS := $(wildcard tests/cli/test_*_debug.sh)
CLI_HOST_TESTS := $(filter-out $(CLI_GUEST_TESTS) $(CLI_RIG_TESTS),$(wildcard tests/cli/test_*.sh))
UNIT_TESTS += $(CLI_HOST_TESTS)
GUEST_TESTS += $(CLI_GUEST_TESTS)
RIG_TESTS += $(CLI_RIG_TESTS)

# Scripts are there; what they test has to be built.
$(CLI_HOST_TESTS): $(B)/aif $(B)/aifd $(B)/aif-gateway

# A driver that aborts, for aifd to survive.
$(B)/tests/cli/badcuda/libcuda.so.1: tests/cli/badcuda.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -shared -fvisibility=default -o $@ $<

tests: $(B)/tests/cli/badcuda/libcuda.so.1

TERMINAL := $(B)/tests/cli/terminal
TESTBINS += $(TERMINAL)
$(TERMINAL): $(B)/tests/cli/terminal.o
	$(CC) -o $@ $^ -lutil
