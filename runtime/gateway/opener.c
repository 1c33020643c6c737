// SPDX-License-Identifier: MIT
#include "runtime/gateway/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/model/why.h"

#define CGROUPS "/sys/fs/cgroup"
#define CHILDREN_MOST 64	/* those beyond wait in their sockets */

struct question {
	uint32_t id;
	struct key_tenant tenant;
};

/* @result: 0 with the file, or -errno without. */
struct answer {
	uint32_t id;
	int result;
};

/* One file. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

struct opener {
	pid_t pid;
	unsigned int count;
	int sockets[];
};

/* ---- a child: becomes the tenant ---- */

static int enter_cgroup(const struct key_tenant *t)
{
	char procs[PATH_MAX];
	int fd;

	snprintf(procs, sizeof(procs), CGROUPS "%s/cgroup.procs", key_tenant_cgroup(t));
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, "0", 1) == 1 ? 0 : -errno;
}

/* A uid without a name has the group of the same number, and no other. */
static int become_user(uid_t uid)
{
	const struct passwd *user;
	gid_t gid;

	errno = 0;
	user = getpwuid(uid);
	if (!user && errno && errno != ENOENT && errno != ESRCH)
		return -errno;	/* whether it has a name cannot be told */
	gid = user ? user->pw_gid : (gid_t)uid;
	if (user ? initgroups(user->pw_name, gid) : setgroups(0, NULL))
		return -errno;
	return setresgid(gid, gid, gid) || setresuid(uid, uid, uid) ? -errno : 0;
}

static void send_answer(int socket, uint32_t id, int result, int fd, int flags)
{
	struct answer answer = { id, result };
	struct iovec body = { &answer, sizeof(answer) };
	struct msghdr m = { .msg_iov = &body, .msg_iovlen = 1 };
	union control control = { 0 };

	if (!result) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)),
		};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	}
	sendmsg(socket, &m, MSG_NOSIGNAL | flags);
}

/* ---- the opener: has children, and answers for those that could not ---- */

/* @end_ms: when its time is over; 0: it was, and was killed, and answered for */
struct child {
	pid_t pid;
	int socket;
	uint32_t id;
	int64_t end_ms;
	struct key_tenant tenant;
};

/* @fds: [0] says that a child has ended; then the sockets, @open of them. */
struct nursery {
	const char *device;
	struct pollfd *fds;
	unsigned int count, open, running;
	struct child children[CHILDREN_MOST];
};

/*
 * A child ends with the opener: nobody else would end it.  And it has no socket but its
 * own: whoever waits at another would not see the opener's end.
 */
static void be_a_child(const struct nursery *n, int socket, pid_t opener)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* becoming a user has undone it */
	if (getppid() != opener)
		_exit(1);
	for (unsigned int i = 1; i <= n->count; i++)
		if (n->fds[i].fd >= 0 && n->fds[i].fd != socket)
			close(n->fds[i].fd);
}

static void child(const struct nursery *n, int socket, const struct question *q, pid_t opener)
{
	bool cgroup = q->tenant.type == KEY_TENANT_CGROUP;
	int fd = -1, err;

	err = cgroup ? enter_cgroup(&q->tenant) : become_user(q->tenant.uid);
	be_a_child(n, socket, opener);
	if (!err) {
		fd = open(n->device, O_RDWR | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	}
	send_answer(socket, q->id, err, fd, 0);
	_exit(0);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Has it children that were killed and do not end?  Others need room, too. */
static bool hangs(const struct nursery *n, const struct key_tenant *tenant)
{
	unsigned int stuck = 0;

	for (unsigned int i = 0; i < n->running; i++)
		stuck += !n->children[i].end_ms &&
			 !strcmp(n->children[i].tenant.text, tenant->text);
	return stuck >= n->count;
}

static void take_question(struct nursery *n, int socket)
{
	struct child *c = &n->children[n->running];
	pid_t self = getpid();
	struct question q;

	if (recv(socket, &q, sizeof(q), MSG_DONTWAIT) != sizeof(q))
		return;
	if (hangs(n, &q.tenant)) {
		send_answer(socket, q.id, -ETIME, -1, MSG_DONTWAIT);
		return;
	}
	*c = (struct child){ fork(), socket, q.id, now_ms() + OPENER_PATIENCE_S * 1000, q.tenant };
	if (!c->pid)
		child(n, socket, &q, self);
	if (c->pid < 0)
		send_answer(socket, q.id, -errno, -1, MSG_DONTWAIT);
	else
		n->running++;
}

/*
 * A child that ended by itself has answered.  Whom the kernel kills, it kills for want of
 * memory: the tenant's.
 */
static void bury(struct nursery *n, unsigned int i, int status)
{
	const struct child *c = &n->children[i];

	if (c->end_ms && (!WIFEXITED(status) || WEXITSTATUS(status)))
		send_answer(c->socket, c->id, -ENOMEM, -1, MSG_DONTWAIT);
	n->children[i] = n->children[--n->running];
}

static void look_after(struct nursery *n)
{
	struct signalfd_siginfo ended;
	int status;

	if (read(n->fds[0].fd, &ended, sizeof(ended)) != sizeof(ended))
		return;
	for (unsigned int i = n->running; i--;) {
		if (waitpid(n->children[i].pid, &status, WNOHANG) > 0)
			bury(n, i, status);
	}
}

/*
 * A child belongs to the tenant by now, who may have stopped it: no signal but SIGKILL is
 * sure to reach it, and in a device that hangs not even that.
 */
static void end_late(struct nursery *n)
{
	int64_t now = now_ms();

	for (unsigned int i = 0; i < n->running; i++) {
		struct child *c = &n->children[i];

		if (!c->end_ms || c->end_ms > now)
			continue;
		kill(c->pid, SIGKILL);
		send_answer(c->socket, c->id, -ETIME, -1, MSG_DONTWAIT);
		c->end_ms = 0;
	}
}

/* Milliseconds until the next child's time is over, -1: there is none. */
static int patience(const struct nursery *n)
{
	int64_t end = 0, left;

	for (unsigned int i = 0; i < n->running; i++) {
		const struct child *c = &n->children[i];

		if (c->end_ms && (!end || c->end_ms < end))
			end = c->end_ms;
	}
	left = end - now_ms();
	return !end ? -1 : left > 0 ? (int)left : 0;
}

/* Who has hung up cannot be answered, whatever was asked before. */
static void serve_sockets(struct nursery *n)
{
	for (unsigned int i = 1; i <= n->count; i++) {
		struct pollfd *p = &n->fds[i];

		if (p->revents & (POLLHUP | POLLERR)) {
			p->fd = -1;
			n->open--;
		} else if (p->revents & POLLIN && n->running < CHILDREN_MOST) {
			take_question(n, p->fd);
		}
	}
}

/* It ends when nobody can ask it. */
static void serve(struct nursery *n)
{
	while (n->open) {
		for (unsigned int i = 1; i <= n->count; i++)
			n->fds[i].events = n->running < CHILDREN_MOST ? POLLIN : 0;
		if (poll(n->fds, n->count + 1, patience(n)) < 0)
			continue;
		if (n->fds[0].revents)
			look_after(n);
		end_late(n);
		serve_sockets(n);
	}
}

/* Signals are blocked, all of them: a terminal's ^C comes here too, and a drain needs us. */
static void live(const char *device, const int *sockets, unsigned int count)
{
	struct nursery n = { .device = device, .count = count, .open = count };
	sigset_t ended;

	prctl(PR_SET_NAME, "aif-opener");
	signal(SIGCHLD, SIG_DFL);	/* whoever started us may ignore it */
	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	n.fds = calloc(count + 1, sizeof(*n.fds));
	if (!n.fds)
		_exit(1);
	n.fds[0] = (struct pollfd){ signalfd(-1, &ended, SFD_CLOEXEC | SFD_NONBLOCK), POLLIN, 0 };
	for (unsigned int i = 0; i < count; i++)
		n.fds[i + 1].fd = sockets[i];
	if (n.fds[0].fd >= 0)
		serve(&n);
	_exit(0);
}

/* ---- who asks it ---- */

static void close_all(const int *sockets, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		close(sockets[i]);
}

static int open_sockets(struct opener *o, int *theirs, unsigned int count)
{
	int pair[2];

	for (; o->count < count; o->count++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
			return -errno;
		o->sockets[o->count] = pair[0];
		theirs[o->count] = pair[1];
	}
	return 0;
}

/* Each side keeps its ends alone: so it sees when the other is gone. */
static int start(struct opener *o, int *theirs, const char *device, unsigned int count)
{
	int err = open_sockets(o, theirs, count);
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (!err) {
		o->pid = fork();
		err = o->pid < 0 ? -errno : 0;
	}
	if (!err && !o->pid) {
		close_all(o->sockets, o->count);
		live(device, theirs, o->count);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close_all(theirs, o->count);
	return err;
}

struct opener *opener_start(const char *device, unsigned int sockets, struct aif_why *why)
{
	struct opener *o = calloc(1, sizeof(*o) + sockets * sizeof(o->sockets[0]));
	int *theirs = calloc(sockets, sizeof(*theirs)), err = -ENOMEM;

	if (o && theirs)
		err = start(o, theirs, device, sockets);
	free(theirs);
	if (!err)
		return o;
	aif_why_format(why, "cannot start the process that opens %s for tenants: %s", device,
		       strerror(-err));
	if (o)
		close_all(o->sockets, o->count);
	free(o);
	return NULL;
}

void opener_stop(struct opener *o)
{
	if (!o)
		return;
	close_all(o->sockets, o->count);
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
	free(o);
}

int opener_socket(const struct opener *o, unsigned int i)
{
	return o->sockets[i];
}

int opener_ask(int socket, uint32_t id, const struct key_tenant *tenant)
{
	struct question q = { id, *tenant };

	if (send(socket, &q, sizeof(q), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(q))
		return 0;
	return errno == EAGAIN || errno == ENOBUFS ? -EAGAIN : -EPIPE;
}

int opener_answer(int socket, uint32_t *id, int *result)
{
	union control control;
	struct answer answer;
	struct iovec body = { &answer, sizeof(answer) };
	struct msghdr m = {
		.msg_iov = &body, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n != sizeof(answer))
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -EPIPE;
	*id = answer.id;
	*result = answer.result;
	if (!answer.result)	/* out of descriptors, the kernel drops it */
		*result = CMSG_FIRSTHDR(&m) ? 0 : -EMFILE;
	if (!*result)
		memcpy(result, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(*result));
	return 0;
}
