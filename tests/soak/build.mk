# SPDX-License-Identifier: MIT

SOAK_SECONDS ?= 3600

.PHONY: soak
soak: tests module-debug $(B)/tests/unit/core/sim/sim $(B)/tests/bench/broker/bench_broker	## load, kills, random operations for SOAK_SECONDS (3600)
	@tests/soak/run $(SOAK_SECONDS)
