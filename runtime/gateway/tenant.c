// SPDX-License-Identifier: MIT
#include "runtime/gateway/tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/daemon/log.h"
#include "runtime/gateway/loop.h"

#define CGROUPS "/sys/fs/cgroup"
#define BY_UID "/sys/module/aif/parameters/tenant_by_uid"
#define PATIENCE_MS 1000
#define REMEMBER_NS 5000000000ull

/* There are as many as the key file names: a list will do. */
struct tenants {
	pthread_mutex_t lock;
	struct tenant *list;
	unsigned int count;
};

struct tenants *tenants_open(void)
{
	struct tenants *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	if (tenant_get(t, &(struct key_tenant){ .type = KEY_TENANT_NONE }))
		return t;
	tenants_close(t);
	return NULL;
}

void tenants_close(struct tenants *tenants)
{
	if (!tenants)
		return;
	while (tenants->list) {
		struct tenant *t = tenants->list;

		tenants->list = t->next;
		free(t);
	}
	free(tenants);
}

/* A uid without a name has the group of the same number. */
static gid_t gid_of(uid_t uid)
{
	struct passwd user, *found = NULL;
	char names[4096];

	if (getpwuid_r(uid, &user, names, sizeof(names), &found) || !found)
		return (gid_t)uid;
	return found->pw_gid;
}

static struct tenant *add(struct tenants *tenants, const struct key_tenant *key)
{
	struct tenant *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->index = tenants->count++;
	t->key = *key;
	t->gid = key->type == KEY_TENANT_UID ? gid_of(key->uid) : 0;
	t->next = tenants->list;
	tenants->list = t;
	return t;
}

struct tenant *tenant_get(struct tenants *tenants, const struct key_tenant *key)
{
	struct tenant *t;

	pthread_mutex_lock(&tenants->lock);
	for (t = tenants->list; t && strcmp(t->key.text, key->text); t = t->next)
		;
	if (!t)
		t = add(tenants, key);
	pthread_mutex_unlock(&tenants->lock);
	return t;
}

const char *tenant_name(const struct tenant *t)
{
	return *t->key.text ? t->key.text : "self";
}

/* ---- the helper: a child of a process with threads, so system calls only ---- */

static int enter_cgroup(const char *procs)
{
	int fd = open(procs, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, "0", 1) == 1 ? 0 : -errno;
}

/* The C library's own would look for the threads that this process had. */
static int become(uid_t uid, gid_t gid)
{
	if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, gid, gid, gid) ||
	    syscall(SYS_setresuid, uid, uid, uid))
		return -errno;
	return 0;
}

/* @result: 0 with the file, or -errno without. */
static void send_file(int socket, int result, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec body = { &result, sizeof(result) };
	struct msghdr m = { .msg_iov = &body, .msg_iovlen = 1 };

	if (!result) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		*CMSG_FIRSTHDR(&m) = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)),
		};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	}
	sendmsg(socket, &m, MSG_NOSIGNAL);
}

static void helper(const struct tenant *t, const char *procs, const char *device, int socket)
{
	int fd = -1, err = *procs ? enter_cgroup(procs) : become(t->key.uid, t->gid);

	if (!err) {
		fd = open(device, O_RDWR | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	}
	send_file(socket, err, fd);
	_exit(0);
}

/* ---- its parent ---- */

static int receive_file(int socket)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	int result, fd;
	struct iovec body = { &result, sizeof(result) };
	struct msghdr m = {
		.msg_iov = &body, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct pollfd ready = { .fd = socket, .events = POLLIN };

	if (poll(&ready, 1, PATIENCE_MS) <= 0)
		return -ETIME;
	if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC) != sizeof(result))
		return -EIO;
	if (result)
		return result;
	if (!CMSG_FIRSTHDR(&m))
		return -EIO;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static int ask_helper(const struct tenant *t, const char *procs, const char *device)
{
	int pair[2], fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (!pid)
		helper(t, procs, device, pair[1]);
	fd = pid < 0 ? -errno : 0;
	close(pair[1]);
	if (!fd)
		fd = receive_file(pair[0]);
	close(pair[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return fd;
}

/* Would the module charge the tenant, and not whoever the helper still is? */
static bool is_charged(const struct tenant *t)
{
	bool user = t->key.type == KEY_TENANT_UID;
	int fd = open(BY_UID, O_RDONLY | O_CLOEXEC);
	char by_uid = '\0';

	if (fd < 0)
		return true;	/* another device: the open says what it is */
	if (read(fd, &by_uid, 1) != 1)
		by_uid = '\0';
	close(fd);
	if (!by_uid || (by_uid == 'Y') == user)
		return true;
	log_error("tenant %s: the module charges %s, so nobody would be: make its keys with %s",
		  tenant_name(t), user ? "cgroups" : "users", user ? "--cgroup" : "--uid");
	return false;
}

static int open_device(const struct tenant *t, const char *device)
{
	char procs[PATH_MAX] = "";
	int fd;

	if (!is_charged(t))
		return -EPERM;
	if (t->key.type == KEY_TENANT_CGROUP)
		snprintf(procs, sizeof(procs), CGROUPS "%s/cgroup.procs",
			 key_tenant_cgroup(&t->key));
	fd = ask_helper(t, procs, device);
	if (fd < 0)
		log_error("tenant %s: cannot open %s: %s", tenant_name(t), device, strerror(-fd));
	return fd;
}

/*
 * The loop waits for the helper, so whose failed is not asked again at once: others have
 * requests meanwhile.
 */
int tenant_open_device(struct tenant *t, const char *device)
{
	uint64_t now = loop_now_ns();
	int fd, failed = atomic_load(&t->failed);

	if (failed && now - atomic_load(&t->failed_ns) < REMEMBER_NS)
		return failed;
	fd = open_device(t, device);
	atomic_store(&t->failed_ns, loop_now_ns());
	atomic_store(&t->failed, fd < 0 ? fd : 0);
	return fd;
}
