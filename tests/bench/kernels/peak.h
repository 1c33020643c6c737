/* SPDX-License-Identifier: MIT */
/* peak.h - the machine's multiply-add ceiling, measured with nothing else in the way. */
#ifndef AIF_BENCH_PEAK_H
#define AIF_BENCH_PEAK_H

#include "kernels/host.h"

/*
 * One task of independent multiply-adds that never leave the registers.
 * @arg: const size_t *, how many steps.  A step is aif_peak_flops_<isa> operations.
 */
void aif_peak_avx512(const void *arg, size_t task, void *scratch);
void aif_peak_avx2(const void *arg, size_t task, void *scratch);
void aif_peak_portable(const void *arg, size_t task, void *scratch);

extern const size_t aif_peak_flops_avx512, aif_peak_flops_avx2, aif_peak_flops_portable;

#endif
