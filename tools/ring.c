// SPDX-License-Identifier: MIT
#include "tools/ring.h"

#include <errno.h>
#include <string.h>

#include "runtime/model/why.h"

int ring_open(struct io_uring *ring, struct aif_why *why)
{
	int err = io_uring_queue_init(2, ring,
				      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

	return err ? aif_why_set(why, err, "io_uring: %s; `aif probe` tells more", strerror(-err)) : 0;
}

int ring_refused(const char *device, struct aif_why *why)
{
	return aif_why_set(why, -EOPNOTSUPP, "%s has no ring door here: ioctl and spin do without",
			   device);
}

int ring_run(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int res = io_uring_submit_and_wait(ring, 1);

	if (res >= 0)
		res = io_uring_wait_cqe(ring, &cqe);
	if (res < 0)
		return res;
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}
