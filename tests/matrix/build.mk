# SPDX-License-Identifier: MIT
# Other kernels than this machine's.

MATRIX_DOOR := $(B)/tests/matrix/test_door

$(B)/tests/matrix/%.o: CFLAGS += -Wno-missing-field-initializers
$(MATRIX_DOOR): $(B)/tests/matrix/test_door.o $(addprefix $(B)/tests/uapi/,raw.o cgroup.o ops.o exporter.o)
	$(CC) -o $@ $^ -luring -lcmocka -lpthread

UNIT_TESTS += tests/matrix/test_probe.sh tests/matrix/test_run.sh

MATRIX_NEEDS := all $(MATRIX_DOOR) $(CONFORM) \
	$(addprefix $(B)/tests/uapi/,test_nodes test_echo test_abi test_transfer test_disk)

.PHONY: matrix
matrix:			## the module on 6.1, 6.12 and the newest Debian kernel
	@tools/install-deps build demo check matrix
	@$(MAKE) --no-print-directory -j2 $(MATRIX_NEEDS)
	@tests/matrix/run
