/* SPDX-License-Identifier: MIT */
/* relax.h - inside a loop that looks at memory until it changes */
#ifndef AIF_BACKEND_RELAX_H
#define AIF_BACKEND_RELAX_H

/* Tells the processor that this is a wait: its other thread runs, and memory is not guessed. */
static inline void aif_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
