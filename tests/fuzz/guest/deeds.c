// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "deeds.h"
#include "tests/uapi/exporter.h"

/* Descriptors that every party has, over exec() too; party.c has 200. */
#define SHARED_FD	201
#define SOCKET_FD	202		/* and 203: what one sends the next receives */
#define TRACE_FD	210		/* one for each desk */

#define TRACE_WORDS	(64u << 10)
#define PLACES		(64u << 10)	/* a power of two, well over the module's */
#define PAGE		4096u

struct shared {
	uint32_t traces;		/* KCOV is there */
	uint32_t covered;
	uint64_t places[PLACES];	/* a hash set of program counters */
	uint8_t desks[DESKS][DESK_BYTES] __attribute__((aligned(4096)));
};

static struct shared *shared;

/* A party's own; gone with exec(). */
static struct door ring;
static struct io_uring pins;
static uint8_t *edge;		/* a page with an unreadable one behind it */
static uint64_t *trace;

static void map_shared(void)
{
	if (shared)
		return;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
	if (shared == MAP_FAILED) {
		perror("desks");
		_exit(125);
	}
}

void deeds_init(void)
{
	int ends[2];

	if (dup2(memfd_create("desks", 0), SHARED_FD) < 0 ||
	    ftruncate(SHARED_FD, sizeof(*shared)) || socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) ||
	    dup2(ends[0], SOCKET_FD) < 0 || dup2(ends[1], SOCKET_FD + 1) < 0) {
		perror("deeds_init");
		exit(125);
	}
	map_shared();
	chmod("/dev/dma_heap/system", 0666);	/* for every party; not all kernels have it */
}

/* ---- coverage ---- */

/* Parties may not open it themselves. */
bool deeds_trace(void)
{
	unsigned int i;
	int fd;

	for (i = 0; i < DESKS; i++) {
		fd = open("/sys/kernel/debug/kcov", O_RDWR);
		if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, TRACE_WORDS) ||
		    dup2(fd, TRACE_FD + (int)i) < 0)
			return false;
		close(fd);
	}
	shared->traces = 1;
	return true;
}

uint32_t deeds_covered(void)
{
	return __atomic_load_n(&shared->covered, __ATOMIC_RELAXED);
}

/* After exec() the task is still traced, into memory that it has lost. */
static void trace_begin(uint32_t desk)
{
	int fd = TRACE_FD + (int)desk;

	if (!shared->traces || trace == MAP_FAILED)
		return;
	if (!trace) {
		ioctl(fd, KCOV_DISABLE, 0);
		trace = mmap(NULL, TRACE_WORDS * sizeof(*trace), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);
		if (trace == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
			perror("kcov");
			_exit(125);
		}
	}
	__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
}

static void cover(uint64_t pc)
{
	uint32_t i = (uint32_t)((pc * 0x9e3779b97f4a7c15ull) >> 40);
	uint64_t none;

	for (;; i++) {
		none = 0;
		if (__atomic_compare_exchange_n(&shared->places[i % PLACES], &none, pc, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			__atomic_fetch_add(&shared->covered, 1, __ATOMIC_RELAXED);
		else if (none != pc)
			continue;
		return;
	}
}

static void trace_end(void)
{
	uint64_t i, n;

	if (!trace)
		return;
	n = __atomic_load_n(&trace[0], __ATOMIC_RELAXED);
	for (i = 0; i < n && i + 1 < TRACE_WORDS; i++)
		cover(trace[i + 1]);
}

/* ---- in the party; arg[0] is the desk ---- */

static uint8_t *desk(const long *arg)
{
	map_shared();
	return shared->desks[arg[0]];
}

static off_t desk_offset(const long *arg)
{
	return (off_t)(offsetof(struct shared, desks) + (size_t)arg[0] * DESK_BYTES);
}

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long deed_forget(long *arg)
{
	door_close(&ring);
	if (pins.ring_fd)
		io_uring_queue_exit(&pins);
	memset(&pins, 0, sizeof(pins));
	if (trace)
		munmap(trace, TRACE_WORDS * sizeof(*trace));
	trace = NULL;
	return 0;
}

static long deed_open(long *arg)
{
	return result(open((char *)desk(arg), O_RDWR | O_CLOEXEC));
}

static long deed_close(long *arg)
{
	return result(close((int)arg[1]));
}

static long deed_dup(long *arg)
{
	return result(dup((int)arg[1]));
}

static long deed_eventfd(long *arg)
{
	return result(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

static long deed_memfd(long *arg)
{
	int fd = memfd_create("own", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || !ftruncate(fd, arg[1]))
		return result(fd);
	close(fd);
	return -ENOMEM;
}

static long deed_heap(long *arg)
{
	return exporter_heap((size_t)arg[1], O_RDWR);
}

static long deed_seal(long *arg)
{
	return result(fcntl((int)arg[1], F_ADD_SEALS, (int)arg[2]));
}

static long deed_read_eventfd(long *arg)
{
	uint64_t count;

	return read((int)arg[1], &count, sizeof(count)) < 0 ? -errno : (long)count;
}

static long deed_poll(long *arg)
{
	struct pollfd p = { .fd = (int)arg[1], .events = POLLIN };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

union rights {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static struct msghdr rights_message(union rights *rights, struct iovec *iov)
{
	static char byte;

	*iov = (struct iovec){ &byte, 1 };
	memset(rights, 0, sizeof(*rights));
	return (struct msghdr){
		.msg_iov = iov, .msg_iovlen = 1,
		.msg_control = rights, .msg_controllen = sizeof(*rights),
	};
}

static long deed_send(long *arg)
{
	int fd = (int)arg[1];
	union rights rights;
	struct iovec iov;
	struct msghdr m = rights_message(&rights, &iov);

	rights.header.cmsg_level = SOL_SOCKET;
	rights.header.cmsg_type = SCM_RIGHTS;
	rights.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
	return result(sendmsg(SOCKET_FD, &m, 0));
}

static long deed_receive(long *arg)
{
	union rights rights;
	struct iovec iov;
	struct msghdr m = rights_message(&rights, &iov);
	int fd;

	if (recvmsg(SOCKET_FD + 1, &m, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	memcpy(&fd, CMSG_DATA(&rights.header), sizeof(fd));
	return fd;
}

/* The argument's first four bytes (its size) on the page, the rest beyond it. */
static void *place_edge(const long *arg)
{
	if (!edge) {
		edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
		mprotect(edge + PAGE, PAGE, PROT_NONE);
	}
	memcpy(edge + PAGE - 4, desk(arg), 4);
	return edge + PAGE - 4;
}

static long deed_call(long *arg)
{
	void *at = desk(arg);
	long ret;

	if (arg[3] == PLACE_NULL)
		at = NULL;
	else if (arg[3] == PLACE_EDGE)
		at = place_edge(arg);
	trace_begin((uint32_t)arg[0]);
	ret = result(ioctl((int)arg[1], (unsigned long)arg[2], at));
	trace_end();
	return ret;
}

static long deed_mmap(long *arg)
{
	void *at;

	map_shared();
	trace_begin((uint32_t)arg[0]);
	at = mmap(NULL, (size_t)arg[3], (int)arg[4], (int)arg[5], (int)arg[1], arg[2]);
	trace_end();
	return at == MAP_FAILED ? -errno : (long)at;
}

static long deed_munmap(long *arg)
{
	map_shared();
	trace_begin((uint32_t)arg[0]);
	arg[1] = munmap((void *)arg[1], (size_t)arg[2]);
	trace_end();
	return result(arg[1]);
}

static long deed_mprotect(long *arg)
{
	return result(mprotect((void *)arg[1], (size_t)arg[2], (int)arg[3]));
}

static long deed_madvise(long *arg)
{
	return result(madvise((void *)arg[1], (size_t)arg[2], (int)arg[3]));
}

/* A place first, as the same size stays where it is otherwise. */
static long deed_mremap(long *arg)
{
	void *to = mmap(NULL, (size_t)arg[3], PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *at = mremap((void *)arg[1], (size_t)arg[2], (size_t)arg[3],
			  MREMAP_MAYMOVE | MREMAP_FIXED, to);
	int err = errno;

	if (at != MAP_FAILED)
		return (long)at;
	munmap(to, (size_t)arg[3]);
	return -err;
}

static long deed_peek(long *arg)
{
	map_shared();
	return result(pwrite(SHARED_FD, (void *)arg[1], (size_t)arg[2], desk_offset(arg)));
}

static long deed_poke(long *arg)
{
	map_shared();
	return result(pread(SHARED_FD, (void *)arg[1], (size_t)arg[2], desk_offset(arg)));
}

static long deed_pin(long *arg)
{
	struct iovec iov = { (void *)arg[1], PAGE };
	int err = pins.ring_fd ? 0 : io_uring_queue_init(2, &pins, 0);

	return err ? err : io_uring_register_buffers(&pins, &iov, 1);
}

static long deed_unpin(long *arg)
{
	return io_uring_unregister_buffers(&pins);
}

static long deed_ring_open(long *arg)
{
	return door_open(&ring, (enum door_kind)arg[1]);
}

static long deed_ring_close(long *arg)
{
	door_close(&ring);
	return 0;
}

static long deed_ring_start(long *arg)
{
	uint8_t payload[16];
	long number;

	memcpy(payload, desk(arg), sizeof(payload));
	trace_begin((uint32_t)arg[0]);
	number = door_start(&ring, (int)arg[1], (uint32_t)arg[2], payload);
	/* A polling thread gives the place back when the command was begun. */
	while (ring.kind == DOOR_SQPOLL && io_uring_sq_ready(&ring.ring))
		usleep(100);
	trace_end();
	return number;
}

/* 1 and its result in arg[2], or 0. */
static long deed_ring_ended(long *arg)
{
	bool ended;

	map_shared();
	trace_begin((uint32_t)arg[0]);
	ended = door_ended(&ring, arg[1]);
	trace_end();
	if (ended)
		arg[2] = door_end(&ring, arg[1]);
	return ended;
}

static long deed_ring_call(long *arg)
{
	long number = deed_ring_start(arg);

	return number < 0 ? number : door_end(&ring, number);
}

/* ---- the fuzzer's end ---- */

uint8_t *actor_desk(const struct actor *a)
{
	return shared->desks[a->desk];
}

void actor_forget(struct actor *a)
{
	ASK(a->party, deed_forget, a->desk);
}

long actor_open(struct actor *a, const char *path)
{
	strcpy((char *)actor_desk(a), path);
	return ASK(a->party, deed_open, a->desk);
}

long actor_close(struct actor *a, int fd)
{
	return ASK(a->party, deed_close, a->desk, fd);
}

long actor_dup(struct actor *a, int fd)
{
	return ASK(a->party, deed_dup, a->desk, fd);
}

long actor_send(struct actor *from, int fd, struct actor *to)
{
	long ret = ASK(from->party, deed_send, from->desk, fd);

	return ret < 0 ? ret : ASK(to->party, deed_receive, to->desk);
}

long actor_poll(struct actor *a, int fd)
{
	return ASK(a->party, deed_poll, a->desk, fd);
}

long actor_eventfd(struct actor *a)
{
	return ASK(a->party, deed_eventfd, a->desk);
}

long actor_memfd(struct actor *a, size_t bytes)
{
	return ASK(a->party, deed_memfd, a->desk, (long)bytes);
}

long actor_heap(struct actor *a, size_t bytes)
{
	return ASK(a->party, deed_heap, a->desk, (long)bytes);
}

long actor_seal(struct actor *a, int fd, unsigned int seals)
{
	return ASK(a->party, deed_seal, a->desk, fd, (long)seals);
}

long actor_read_eventfd(struct actor *a, int fd)
{
	return ASK(a->party, deed_read_eventfd, a->desk, fd);
}

long actor_call(struct actor *a, int fd, unsigned long cmd, void *arg, size_t bytes,
		enum deed_place place)
{
	long ret;

	memcpy(actor_desk(a), arg, bytes);
	ret = ASK(a->party, deed_call, a->desk, fd, (long)cmd, place);
	if (place == PLACE_DESK)
		memcpy(arg, actor_desk(a), bytes);
	return ret;
}

void actor_begin_call(struct actor *a, int fd, unsigned long cmd, const void *arg, size_t bytes)
{
	memcpy(actor_desk(a), arg, bytes);
	BEGIN(a->party, deed_call, a->desk, fd, (long)cmd, PLACE_DESK);
}

long actor_mmap(struct actor *a, int fd, uint64_t offset, size_t bytes, int prot, int flags)
{
	long arg[PARTY_ARGS] = { a->desk, fd, (long)offset, (long)bytes, prot, flags };

	return party_ask(a->party, deed_mmap, arg);
}

long actor_munmap(struct actor *a, uint64_t at, size_t bytes)
{
	return ASK(a->party, deed_munmap, a->desk, (long)at, (long)bytes);
}

long actor_mprotect(struct actor *a, uint64_t at, size_t bytes, int prot)
{
	return ASK(a->party, deed_mprotect, a->desk, (long)at, (long)bytes, prot);
}

long actor_madvise(struct actor *a, uint64_t at, size_t bytes, int advice)
{
	return ASK(a->party, deed_madvise, a->desk, (long)at, (long)bytes, advice);
}

long actor_mremap(struct actor *a, uint64_t at, size_t bytes, size_t new_bytes)
{
	return ASK(a->party, deed_mremap, a->desk, (long)at, (long)bytes, (long)new_bytes);
}

long actor_peek(struct actor *a, uint64_t at, void *to, size_t bytes)
{
	long ret = ASK(a->party, deed_peek, a->desk, (long)at, (long)bytes);

	if (ret > 0)
		memcpy(to, actor_desk(a), (size_t)ret);
	return ret;
}

long actor_poke(struct actor *a, uint64_t at, const void *from, size_t bytes)
{
	memcpy(actor_desk(a), from, bytes);
	return ASK(a->party, deed_poke, a->desk, (long)at, (long)bytes);
}

long actor_look(const struct actor *a, uint64_t at, void *to, size_t bytes)
{
	struct iovec here = { to, bytes }, there = { (void *)at, bytes };

	return result(process_vm_readv(party_pid(a->party), &here, 1, &there, 1, 0));
}

long actor_write(const struct actor *a, uint64_t at, const void *from, size_t bytes)
{
	struct iovec here = { (void *)from, bytes }, there = { (void *)at, bytes };

	return result(process_vm_writev(party_pid(a->party), &here, 1, &there, 1, 0));
}

long actor_pin(struct actor *a, uint64_t at)
{
	return ASK(a->party, deed_pin, a->desk, (long)at);
}

long actor_unpin(struct actor *a)
{
	return ASK(a->party, deed_unpin, a->desk);
}

long actor_ring_open(struct actor *a, enum door_kind kind)
{
	return ASK(a->party, deed_ring_open, a->desk, kind);
}

long actor_ring_close(struct actor *a)
{
	return ASK(a->party, deed_ring_close, a->desk);
}

long actor_ring_start(struct actor *a, int fd, uint32_t op, const void *payload)
{
	memcpy(actor_desk(a), payload, 16);
	return ASK(a->party, deed_ring_start, a->desk, fd, op);
}

bool actor_ring_ended(struct actor *a, long number, int *res)
{
	long arg[PARTY_ARGS] = { a->desk, number };
	bool ended = party_ask(a->party, deed_ring_ended, arg);

	*res = (int)arg[2];
	return ended;
}

long actor_ring_call(struct actor *a, int fd, uint32_t op, const void *payload)
{
	memcpy(actor_desk(a), payload, 16);
	return ASK(a->party, deed_ring_call, a->desk, fd, op);
}
