/* SPDX-License-Identifier: MIT */
/* Touch memory and live: the signal it raised, or 0. */
#ifndef FAULT_H
#define FAULT_H

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

static sigjmp_buf fault_jump;

static void fault_signal(int sig)
{
	siglongjmp(fault_jump, sig);
}

static inline int fault_touch(volatile uint8_t *at, int value)
{
	struct sigaction act = { .sa_handler = fault_signal }, segv, bus;
	volatile uint8_t seen;
	int sig;

	sigaction(SIGSEGV, &act, &segv);
	sigaction(SIGBUS, &act, &bus);
	sig = sigsetjmp(fault_jump, 1);
	if (!sig && value < 0)
		seen = *at;
	else if (!sig)
		*at = (uint8_t)value;
	(void)seen;
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return sig;
}

static inline int fault_read(volatile uint8_t *at)
{
	return fault_touch(at, -1);
}

static inline int fault_write(volatile uint8_t *at, uint8_t value)
{
	return fault_touch(at, value);
}

#endif
