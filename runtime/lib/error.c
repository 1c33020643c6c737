// SPDX-License-Identifier: MIT
/* What an error means here, where that is not what libc says. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib.h"

const char *aif_version(void)
{
	return AIF_VERSION;
}

static const struct {
	int error;
	const char *text;
} texts[] = {
	{ E2BIG, "longer than the service, this library or this kernel takes" },
	{ EACCES, "permission denied: not the node's, the service's or the grant's to give" },
	{ EAGAIN, "full or nothing there: try again" },
	{ EALREADY, "another turn of this executor waits already" },
	{ EBADF, "no such handle" },
	{ EBUSY, "in use: a request in flight, a grant that lives, or another's turn" },
	{ ECANCELED, "cancelled" },
	{ EDQUOT, "the tenant's or the service's limit is reached" },
	{ EEXIST, "one of that name is there already" },
	{ EFAULT, "memory that is not mapped, or not granted to the service" },
	{ EINVAL, "out of range, or not what the service's description says" },
	{ EIO, "the request's executors died while they had it, too many times" },
	{ EKEYREVOKED, "a grant it uses was revoked" },
	{ ENODEV, "the service is gone, or this executor was detached" },
	{ ENOENT, "no such device, service, grant or request" },
	{ ENOSPC, "no room: too many of them, or an output that is too short" },
	{ ENOTTY, "not an AIF device, or not that kind of file" },
	{ ENXIO, "no such device behind this node, or its arrays were not asked for" },
	{ EOPNOTSUPP, "this device or kernel does not have it, or it was not asked for" },
	{ EOWNERDEAD, "its executor died, and it could not be started again safely" },
	{ EPERM, "this process did not attach the executor" },
	{ ESHUTDOWN, "the service takes no more requests: it drains" },
	{ ESTALE, "the job is not this executor's any more" },
	{ ETIME, "its time is over" },
};

const char *aif_error_text(int error)
{
	const char *text;
	unsigned int i;

	if (error < 0 && error != INT_MIN)
		error = -error;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].error == error)
			return texts[i].text;
	}
	text = strerrordesc_np(error);
	return text ? text : "unknown error";
}
