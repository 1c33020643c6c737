/* SPDX-License-Identifier: MIT */
/* cmocka for programs of the guest: TAP, and nothing left behind. */
#ifndef TAP_H
#define TAP_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "raw.h"

#include <cmocka.h>

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static long tap_pins_before;

/* Everything is closed: the module holds nothing, and nobody's pages are pinned. */
static inline void tap_nothing_left(void **state)
{
	int tries;

	assert_int_equal(raw_all_gone(), 0);
	for (tries = 0; raw_pins() != tap_pins_before && tries < 500; tries++)
		raw_sleep_ms(10);
	assert_int_equal(raw_pins(), tap_pins_before);
}

/* First in a test, or its setup: without io_uring it is skipped. */
static inline void tap_needs_ring(void)
{
	struct io_uring ring;
	int err = io_uring_queue_init(1, &ring, 0);

	if (!err) {
		io_uring_queue_exit(&ring);
		return;
	}
	assert_int_equal(err, -EPERM);
	print_message("# io_uring is forbidden here\n");
	skip();
}

/* The same for AIF's own ring commands, which some kernels are too old for. */
static inline void tap_needs_ring_door(void)
{
	struct aif_ioc_info info = { .size = sizeof(info), .features = AIF_F_URING };
	int fd;

	tap_needs_ring();
	fd = open("/dev/aif", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(raw_call(fd, AIF_IOC_INFO, &info), 0);
	close(fd);
	if (info.features & AIF_F_URING)
		return;
	print_message("# the module has no ring commands on this kernel\n");
	skip();
}

/* Run @tests (an array) between @setup and @teardown, and see what is left. */
#define tap_run(name, tests, setup, teardown)	\
	tap_run_all(name, tests, COUNT(tests), setup, teardown)

static inline int tap_run_all(const char *name, const struct CMUnitTest *tests, size_t n,
			      CMFixtureFunction setup, CMFixtureFunction teardown)
{
	struct CMUnitTest all[n + 1];

	memcpy(all, tests, n * sizeof(*tests));
	all[n] = (struct CMUnitTest){ "nothing is left", tap_nothing_left, teardown };
	setvbuf(stdout, NULL, _IOLBF, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	tap_pins_before = raw_pins();
	return _cmocka_run_group_tests(name, all, n + 1, setup, NULL);
}

#endif
