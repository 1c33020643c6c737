// SPDX-License-Identifier: MIT
#include "tests/bench/kernels/peak.h"

#include "kernels/simd.h"

/* More chains than latency times ports on any machine we know, within 16 registers. */
#define CHAINS 12

const size_t ISA(aif_peak_flops) = CHAINS * VL * 2;

void ISA(aif_peak)(const void *arg, size_t task, void *scratch)
{
	vf acc[CHAINS], a = vset1(0.999f), b = vset1(task * 1e-3f), sum = { 0 };
	size_t steps = *(const size_t *)arg;

	for (int c = 0; c < CHAINS; c++)
		acc[c] = vset1(c);
	for (size_t i = 0; i < steps; i++) {
#pragma GCC unroll 16
		for (int c = 0; c < CHAINS; c++)
			acc[c] = vfma(acc[c], a, b);
		/* The compiler must not see through the loop. */
		__asm__ volatile("" : "+x"(a));
	}
	for (int c = 0; c < CHAINS; c++)
		sum += acc[c];
	__asm__ volatile("" :: "x"(sum));
}
