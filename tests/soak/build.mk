# SPDX-License-Identifier: MIT

SOAK_SECONDS ?= 7200

.PHONY: soak
soak: tests module-debug $(B)/tests/unit/core/sim/sim $(B)/tests/bench/broker/bench_broker	## load, kills, random operations for SOAK_SECONDS (7200)
	@tests/soak/run $(SOAK_SECONDS)
