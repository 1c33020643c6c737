// SPDX-License-Identifier: MIT
/* TEST CODE: see pin.h.  What happens is told to the kernel's trace, among its own events. */
#include "tests/cuda/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#define PAGE 4096ul
#define LATE_MS 100	/* after its process is gone */
#define LATE_BYTES 64
#define LATE_BYTE 0xa5

struct pin {
	struct io_uring ring;
	int source = -1;	/* of what is written late */
	pid_t child = 0;
};

static std::map<void *, pin> pins;

static void tell(const char *what)
{
	int fd = open("/sys/kernel/tracing/trace_marker", O_WRONLY);

	if (fd >= 0 && write(fd, what, strlen(what)) < 0)
		_exit(1);
	close(fd);
}

/* By the ring: by an address that is not mapped here, into pages that it has pinned. */
static void write_late(struct io_uring *ring, int source, char *at)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;

	io_uring_prep_read_fixed(sqe, source, at, LATE_BYTES, 0, 0);
	if (io_uring_submit_and_wait(ring, 1) == 1 && !io_uring_peek_cqe(ring, &cqe) &&
	    cqe->res == LATE_BYTES)
		tell("standin: wrote late");
}

static void close_all_but(int a, int b, int c)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fd != a && fd != b && fd != c)
			close(fd);
}

/* The child's life. */
static void outlive(pin *p, int parent, char *at)
{
	struct pollfd gone = { parent, POLLIN, 0 };

	close_all_but(p->ring.ring_fd, p->source, parent);
	while (poll(&gone, 1, -1) != 1)
		;
	tell("standin: its process is gone");
	usleep(LATE_MS * 1000);
	write_late(&p->ring, p->source, at);
	usleep(LATE_MS * 1000);
	tell("standin: lets go");
	io_uring_unregister_buffers(&p->ring);
	_exit(0);
}

static int take_pages(pin *p, struct iovec *pages)
{
	char late[LATE_BYTES];
	int err = io_uring_register_buffers(&p->ring, pages, 1);

	if (err)
		return err;
	memset(late, LATE_BYTE, sizeof(late));
	p->source = memfd_create("late", MFD_CLOEXEC);
	return p->source < 0 || pwrite(p->source, late, sizeof(late), 0) != sizeof(late) ? -errno : 0;
}

static int start_child(pin *p, char *at)
{
	int parent = (int)syscall(SYS_pidfd_open, getpid(), 0), err = 0;

	if (parent < 0)
		return -errno;
	p->child = fork();
	if (p->child < 0)
		err = -errno;
	else if (!p->child)
		outlive(p, parent, at);
	close(parent);
	return err;
}

static void let_go(pin *p)
{
	if (p->child > 0) {
		kill(p->child, SIGKILL);
		waitpid(p->child, NULL, 0);
	}
	io_uring_queue_exit(&p->ring);
	if (p->source >= 0)
		close(p->source);
}

static int take(pin *p, struct iovec *pages, char *late)
{
	int err = io_uring_queue_init(4, &p->ring, 0);

	if (err)
		return err;
	err = take_pages(p, pages);
	if (!err)
		err = start_child(p, late);
	if (err)
		let_go(p);
	return err;
}

int pin_take(void *host, size_t bytes, size_t late)
{
	size_t in_page = (size_t)host % PAGE;
	struct iovec pages = { (char *)host - in_page,
			       (in_page + bytes + PAGE - 1) / PAGE * PAGE };
	int err = take(&pins[host], &pages, (char *)host + late);

	if (err)
		pins.erase(host);
	return err;
}

void pin_drop(void *host)
{
	auto it = pins.find(host);

	if (it == pins.end())
		return;
	let_go(&it->second);
	pins.erase(it);
}
