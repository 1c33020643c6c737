// SPDX-License-Identifier: MIT
/*
 * Every error that <linux/aif.h> names, reached once: a row for each, named
 * after the operation and the error as the header's comments have them.
 * tests/uapi/documented compares these names with the header.
 *
 * Module arguments: those of test_limits.sh, small enough to be exhausted.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "cgroup.h"
#include "exporter.h"
#include "mock.h"
#include "tap.h"

/* What an operation answered, with a rig that is closed afterwards. */
struct row {
	const char *name;
	int err;
	int (*reach)(struct raw_rig *r);
	uint32_t max_attempts;	/* of the rig's service; 0: its default */
	bool by_ring;
};

/* A number that no object has. */
#define NOBODY	0x12345

/* ---- pieces ---- */

static int submit_one(struct raw_rig *r, uint32_t tag)
{
	struct aif_desc d = raw_rig_desc(r, tag);

	return raw_submit(&r->client, &d, 1, 0);
}

static int submit_many(struct raw_rig *r, uint32_t first, uint32_t n)
{
	int ret = 1;

	while (n-- && ret == 1)
		ret = submit_one(r, first++);
	return ret;
}

/* Move everything that is queued into the executor's hands. */
static int fetch_all(struct raw_rig *r, struct raw_taken *taken)
{
	return raw_take(&r->executor, AIF_FETCH_F_NONBLOCK, 16, taken);
}

static void give_all(struct raw_rig *r, struct raw_taken *taken, int n)
{
	while (n-- > 0)
		raw_give(&r->executor, taken[n], 0, 0, 0);
}

static int result_of(struct raw_rig *r, uint32_t tag)
{
	int err = raw_wait(&r->client, 1, 10000000000);

	return err ? err : r->client.done[tag].result;
}

static void ignore_signal(int sig)
{
}

/* Signals from here on, again and again: the first may come before the sleep. */
static void signals(bool on)
{
	struct sigaction act = { .sa_handler = ignore_signal };
	struct itimerval every = { .it_value = { .tv_usec = on ? 10000 : 0 } };

	every.it_interval = every.it_value;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

/* ---- common ---- */

static int common_efault(struct raw_rig *r)
{
	return raw_call(r->client.fd, AIF_IOC_INFO, NULL);
}

static int common_einval(struct raw_rig *r)
{
	struct aif_ioc_buffer_alloc arg = { .size = sizeof(arg), .flags = 1, .bytes = 1 };

	return raw_call(r->client.fd, AIF_IOC_BUFFER_ALLOC, &arg);
}

static int common_e2big(struct raw_rig *r)
{
	uint32_t arg[64] = { sizeof(arg), [63] = 1 };

	return raw_call(r->client.fd, AIF_IOC_BUFFER_FREE, arg);
}

static int common_enotty(struct raw_rig *r)
{
	return raw_turn(&(struct raw_executor){ .fd = r->client.fd }, 0, 0, 1);
}

static int common_eopnotsupp(struct raw_rig *r)
{
	struct aif_desc d = raw_rig_desc(r, 0);

	d.sched_class = AIF_CLASS_REALTIME;
	return raw_submit(&r->client, &d, 1, 0);
}

static int alloc(int fd, uint64_t bytes)
{
	struct aif_ioc_buffer_alloc arg = { .size = sizeof(arg), .bytes = bytes };

	return raw_call(fd, AIF_IOC_BUFFER_ALLOC, &arg);
}

/* The tenant may have more than the group's memory is. */
static int common_enomem(struct raw_rig *r)
{
	int fd, err;

	if (cgroup_make("small") || cgroup_enter("small"))
		return -ENOSYS;
	fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	cgroup_enter("");
	cgroup_set("small", "memory.max", "262144");
	err = alloc(fd, 900 << 10);
	close(fd);
	return cgroup_remove("small") ? -ENOSYS : err;
}

static int child_turn(void *p)
{
	struct raw_rig *r = p;

	return -raw_turn(&r->executor, AIF_FETCH_F_COMMIT_ONLY, 0, 0);
}

static int common_eperm(struct raw_rig *r)
{
	return -raw_run_as(0, child_turn, r);
}

static int common_enodev(struct raw_rig *r)
{
	raw_service_close(&r->service);
	return raw_turn(&r->executor, 0, 0, 1);
}

static int common_enxio(struct raw_rig *r)
{
	int fd = raw_open_as("/dev/aif", RAW_CLIENT_UID);
	int err = raw_wait(&(struct raw_client){ .fd = fd }, 0, 0);

	close(fd);
	return err;
}

static int common_eintr(struct raw_rig *r)
{
	int err;

	signals(true);
	err = raw_wait(&r->client, 1, -1);
	signals(false);
	return err;
}

/* ---- results ---- */

static int result_ecanceled(struct raw_rig *r)
{
	submit_one(r, 0);
	raw_cancel(&r->client, 0, r->client.generation);
	return result_of(r, 0);
}

static int result_etime(struct raw_rig *r)
{
	struct aif_desc d = raw_rig_desc(r, 0);
	int ret;

	do {	/* on a slow machine it may be over before SUBMIT */
		d.deadline = raw_now() + 20000000;
		ret = raw_submit(&r->client, &d, 1, 0);
	} while (ret == -ETIME);
	return ret == 1 ? result_of(r, 0) : ret;
}

static int result_ekeyrevoked(struct raw_rig *r)
{
	submit_one(r, 0);
	raw_revoke(&r->client, r->grant);
	return result_of(r, 0);
}

/* Attach beside the rig's executor, fetch, publish @p's produced, and die. */
static int die_with_one(struct raw_rig *r, uint32_t produced)
{
	struct raw_taken taken[16];
	struct raw_executor ex;

	if (raw_executor_open(&ex, &r->service, 16))
		return 1;
	if (raw_take(&ex, 0, 1, taken) != 1 && raw_take(&ex, 0, 1, taken) != 1)
		return 2;
	return produced && raw_progress(&ex, taken[0], produced, 0) ? 3 : 0;
}

static int die_after_progress(void *p)
{
	return die_with_one(p, 1);
}

static int die_at_once(void *p)
{
	return die_with_one(p, 0);
}

static int result_eownerdead(struct raw_rig *r)
{
	submit_one(r, 0);
	return raw_run_as(0, die_after_progress, r) ? -ENOSYS : result_of(r, 0);
}

static int result_eio(struct raw_rig *r)
{
	submit_one(r, 0);
	return raw_run_as(0, die_at_once, r) ? -ENOSYS : result_of(r, 0);
}

static int result_enodev(struct raw_rig *r)
{
	submit_one(r, 0);
	raw_service_close(&r->service);
	return result_of(r, 0);
}

static int result_other(struct raw_rig *r)
{
	struct raw_taken taken[16];

	submit_one(r, 0);
	fetch_all(r, taken);
	raw_give(&r->executor, taken[0], -ERANGE, 0, 0);
	return result_of(r, 0);
}

/* ---- client ---- */

static int info(struct raw_rig *r, uint32_t depth)
{
	struct aif_ioc_info arg = { .size = sizeof(arg), .depth = depth };

	return raw_call(r->client.fd, AIF_IOC_INFO, &arg);
}

static int info_ebusy(struct raw_rig *r)
{
	return info(r, 32);
}

static int info_einval(struct raw_rig *r)
{
	return info(r, 128);
}

static int alloc_edquot(struct raw_rig *r)
{
	return alloc(r->client.fd, 2 << 20);
}

static int alloc_enospc(struct raw_rig *r)
{
	int i, err = 0;

	for (i = 0; i < 16 && !err; i++)
		err = alloc(r->client.fd, 1);
	return err;
}

static int pin(struct raw_rig *r, size_t bytes)
{
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret = raw_pin(&r->client, p, bytes, 0);

	munmap(p, bytes);
	return ret;
}

static int pin_efault(struct raw_rig *r)
{
	return raw_pin(&r->client, NULL, 1, 0);
}

static int pin_eexist(struct raw_rig *r)
{
	return raw_pin(&r->client, r->buffer.base, 1, 0);
}

static int pin_edquot(struct raw_rig *r)
{
	return pin(r, (64 << 10) + 1);
}

static int pin_enospc(struct raw_rig *r)
{
	int i, ret = 0;

	for (i = 0; i < 16 && ret >= 0; i++)
		ret = pin(r, 1);
	return ret;
}

static int child_pin(void *p)
{
	struct rlimit none = { 0 };

	return setrlimit(RLIMIT_MEMLOCK, &none) ? ENOSYS : -pin(p, 1);
}

static int pin_enomem(struct raw_rig *r)
{
	return -raw_run_as(RAW_CLIENT_UID, child_pin, r);
}

/* A memfd of @bytes with @seals as a buffer. */
static int memfd(struct raw_rig *r, size_t bytes, int seals, uint32_t flags)
{
	int fd = memfd_create("errnos", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int ret;

	raw_client_ask(&r->client, AIF_F_MEMFD);
	if (ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, seals))
		return -ENOSYS;
	ret = raw_memfd(&r->client, fd, 0, bytes, flags);
	close(fd);
	return ret;
}

static int memfd_ebadf(struct raw_rig *r)
{
	raw_client_ask(&r->client, AIF_F_MEMFD);
	return raw_memfd(&r->client, 1000, 0, 1, 0);
}

static int memfd_einval(struct raw_rig *r)
{
	return memfd(r, 1, F_SEAL_GROW, 0);
}

static int memfd_eperm(struct raw_rig *r)
{
	return memfd(r, 1, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE, AIF_PIN_F_WRITE);
}

static int memfd_eacces(struct raw_rig *r)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int ret;

	raw_client_ask(&r->client, AIF_F_MEMFD);
	ret = raw_memfd(&r->client, fd, 0, 1, AIF_PIN_F_WRITE);
	close(fd);
	return ret;
}

static int memfd_edquot(struct raw_rig *r)
{
	return memfd(r, (64 << 10) + 1, F_SEAL_SHRINK, 0);
}

static int memfd_enospc(struct raw_rig *r)
{
	int i, ret = 0;

	for (i = 0; i < 16 && ret >= 0; i++)
		ret = memfd(r, 1, F_SEAL_SHRINK, 0);
	return ret;
}

static int child_memfd(void *p)
{
	struct rlimit none = { 0 };

	return setrlimit(RLIMIT_MEMLOCK, &none) ? ENOSYS : -memfd(p, 1, F_SEAL_SHRINK, 0);
}

static int memfd_enomem(struct raw_rig *r)
{
	return -raw_run_as(RAW_CLIENT_UID, child_memfd, r);
}

/* Of the heap, as a buffer. */
static int import(struct raw_rig *r, size_t bytes, int open, uint32_t flags)
{
	int fd = exporter_heap(bytes, open);
	int ret;

	raw_client_ask(&r->client, AIF_F_IMPORT | AIF_F_MAP | AIF_F_TRANSFER);
	ret = fd < 0 ? -ENOSYS : raw_import(&r->client, fd, flags);
	close(fd);
	return ret;
}

static int import_ebadf(struct raw_rig *r)
{
	raw_client_ask(&r->client, AIF_F_IMPORT);
	return raw_import(&r->client, 1000, 0);
}

static int import_einval(struct raw_rig *r)
{
	raw_client_ask(&r->client, AIF_F_IMPORT);
	return raw_import(&r->client, r->client.fd, 0);
}

static int import_eacces(struct raw_rig *r)
{
	return import(r, 1, O_RDONLY, AIF_PIN_F_WRITE);
}

static int import_eopnotsupp(struct raw_rig *r)
{
	return raw_import(&r->client, r->client.fd, 0);
}

static int import_edquot(struct raw_rig *r)
{
	return import(r, (64 << 10) + 1, O_RDWR, 0);
}

static int import_enospc(struct raw_rig *r)
{
	int i, ret = 0;

	for (i = 0; i < 16 && ret >= 0; i++)
		ret = import(r, 1, O_RDWR, 0);
	return ret;
}

static int map_eopnotsupp(struct raw_rig *r)
{
	int h = import(r, 1, O_RDWR, 0);
	uint32_t number;

	return h < 0 ? h : raw_map(&r->client, (uint32_t)h, "cpu", &number);
}

/* Sync what was imported to be written, once. */
static int sync_import(struct raw_rig *r, uint32_t flags)
{
	int h = import(r, 1, O_RDWR, AIF_PIN_F_WRITE);

	return h < 0 ? h : raw_sync(&r->client, (uint32_t)h, flags) ?: h;
}

static int sync_enoent(struct raw_rig *r)
{
	raw_client_ask(&r->client, AIF_F_IMPORT);
	return raw_sync(&r->client, NOBODY, 0);
}

static int sync_einval(struct raw_rig *r)
{
	raw_client_ask(&r->client, AIF_F_IMPORT);
	return raw_sync(&r->client, r->buffer.handle, 0);
}

static int sync_eacces(struct raw_rig *r)
{
	int h = import(r, 1, O_RDWR, 0);

	return h < 0 ? h : raw_sync(&r->client, (uint32_t)h, AIF_SYNC_F_WRITE);
}

static int sync_eperm(struct raw_rig *r)
{
	int h = import(r, 1, O_RDWR, 0), fd = h < 0 ? h : raw_share(&r->client, (uint32_t)h, 0);
	struct raw_client other = { .fd = -1 };
	struct raw_buffer b;
	int err;

	if (fd < 0)
		return fd;
	err = raw_client_init(&other, raw_open_as("/dev/aif", RAW_ATTACKER_UID), 4, AIF_F_IMPORT);
	if (!err)
		err = raw_accept(&other, fd, 0, &b);
	if (!err)
		err = raw_sync(&other, b.handle, 0);
	raw_client_close(&other);
	close(fd);
	return err;
}

static int sync_ealready(struct raw_rig *r)
{
	return sync_import(r, AIF_SYNC_F_END);
}

static int sync_enxio(struct raw_rig *r)
{
	int h = import(r, 1, O_RDWR, AIF_PIN_F_WRITE);

	return h < 0 ? h : raw_transfer(&r->client, raw_fill_desc(&r->client, 1, "x", 1,
		(struct aif_range){ (uint32_t)h, 0, 1 }));
}

/* A transfer that waits for its tenant's bytes of the second. */
static int sync_ebusy(struct raw_rig *r)
{
	const struct aif_tenant_limits one = { .bytes_second = 1 }, any = { 0 };
	int h = sync_import(r, AIF_SYNC_F_WRITE), err = h < 0 ? h : 0;
	struct aif_desc d[2];
	uint32_t i;

	for (i = 0; i < 2; i++)
		d[i] = raw_fill_desc(&r->client, i, "x", 1, (struct aif_range){
			i ? (uint32_t)h : r->buffer.handle, 0, 4096 });
	raw_tenant_set(r->client.fd, RAW_CLIENT_UID, AIF_TENANT_F_BYTES_SECOND, one);
	if (!err && !raw_transfer(&r->client, d[0]) && raw_submit(&r->client, d + 1, 1, 0) == 1)
		err = raw_sync(&r->client, (uint32_t)h, AIF_SYNC_F_END);
	raw_tenant_set(r->client.fd, RAW_CLIENT_UID, AIF_TENANT_F_BYTES_SECOND, any);
	return err;
}

static int share(struct raw_rig *r, uint32_t rights)
{
	int fd = raw_share(&r->client, r->buffer.handle, rights);

	if (fd >= 0)
		close(fd);
	return fd;
}

static int share_enoent(struct raw_rig *r)
{
	return raw_share(&r->client, NOBODY, AIF_RIGHT_ALL);
}

static int share_einval(struct raw_rig *r)
{
	return share(r, AIF_RIGHT_ALL + 1);
}

static int share_eacces(struct raw_rig *r)
{
	int h = pin(r, 1);

	return h < 0 ? h : raw_share(&r->client, (uint32_t)h, AIF_RIGHT_READ | AIF_RIGHT_MAP);
}

static int child_share_no_fd(void *p)
{
	struct rlimit none = { 0 };

	return setrlimit(RLIMIT_NOFILE, &none) ? ENOSYS : -share(p, AIF_RIGHT_ALL);
}

static int share_emfile(struct raw_rig *r)
{
	return -raw_run_as(RAW_CLIENT_UID, child_share_no_fd, r);
}

static int child_share(void *p)
{
	return -share(p, AIF_RIGHT_ALL);
}

#define FILE_MAX	"/proc/sys/fs/file-max"

/* No more files on the whole machine, but for root. */
static int share_enfile(struct raw_rig *r)
{
	char before[32] = "", none[] = "0";
	int fd = open(FILE_MAX, O_RDWR | O_CLOEXEC), ret = -ENOSYS;

	if (fd >= 0 && read(fd, before, sizeof(before) - 1) > 0 && pwrite(fd, none, 1, 0) == 1) {
		ret = -raw_run_as(RAW_CLIENT_UID, child_share, r);
		if (pwrite(fd, before, strlen(before), 0) < 0)
			ret = -errno;
	}
	close(fd);
	return ret;
}

/* The rig's buffer, shared with @shared of its rights and accepted with @asked. */
static int accept_with(struct raw_rig *r, uint32_t shared, uint32_t asked, struct raw_buffer *b)
{
	int fd = raw_share(&r->client, r->buffer.handle, shared);
	int err = fd < 0 ? -ENOSYS : raw_accept(&r->client, fd, asked, b);

	close(fd);
	return err;
}

static int accept_ebadf(struct raw_rig *r)
{
	struct raw_buffer b;

	return raw_accept(&r->client, 1000, 0, &b);
}

static int accept_einval(struct raw_rig *r)
{
	struct raw_buffer b;
	int err = raw_accept(&r->client, r->client.fd, 0, &b);

	return err == -EINVAL ? accept_with(r, AIF_RIGHT_ALL, AIF_RIGHT_ALL + 1, &b) : err;
}

static int accept_eacces(struct raw_rig *r)
{
	struct raw_buffer b;

	return accept_with(r, AIF_RIGHT_READ, AIF_RIGHT_READ | AIF_RIGHT_WRITE, &b);
}

static int accept_enospc(struct raw_rig *r)
{
	struct raw_buffer b;
	int i, err = 0;

	for (i = 0; i < 16 && !err; i++)
		err = accept_with(r, AIF_RIGHT_TRANSFER, 0, &b);
	return err;
}

static int grant_eacces(struct raw_rig *r)
{
	struct raw_buffer b;
	uint32_t grant;
	int err = accept_with(r, AIF_RIGHT_READ | AIF_RIGHT_MAP, 0, &b);

	if (err)
		return err;
	err = raw_grant(&r->client, b.handle, r->handle, AIF_GRANT_F_WRITE, &grant);
	munmap(b.base, b.length);
	return err;
}

/* A buffer of @bytes is mapped for a mock with those parameters, which goes then. */
static int map_for(struct raw_rig *r, const char *parameters, size_t bytes)
{
	struct raw_buffer b;
	uint32_t number;
	char load[96];
	int err;

	snprintf(load, sizeof(load), "modprobe aif_mock maps=1 %s", parameters);
	mock_shell(load);
	raw_client_ask(&r->client, AIF_F_MAP);
	err = raw_buffer_alloc(&r->client, bytes, &b);
	if (!err)
		err = raw_map(&r->client, b.handle, "mock", &number);
	raw_buffer_free(&r->client, &b);
	mock_shell("rmmod aif_mock");
	return err;
}

static int map_enomem(struct raw_rig *r)
{
	return map_for(r, "map_room=1", 1);
}

static int map_enospc(struct raw_rig *r)
{
	return map_for(r, "mapped_bytes=4096", 4097);
}

static int map_edquot(struct raw_rig *r)
{
	return map_for(r, "", (128 << 10) + 1);
}

static int map_eio(struct raw_rig *r)
{
	return map_for(r, "map_lie=1", 1);
}

static int map_by_name(struct raw_rig *r, const char *name)
{
	uint32_t number;

	raw_client_ask(&r->client, AIF_F_MAP);
	return raw_map(&r->client, r->buffer.handle, name, &number);
}

static int map_enoent(struct raw_rig *r)
{
	return map_by_name(r, "nobody");
}

static int map_einval(struct raw_rig *r)
{
	return map_by_name(r, "cpu");
}

static int fill_by(struct raw_rig *r, uint32_t engine)
{
	struct aif_desc d = raw_fill_desc(&r->client, 1, "x", 1, (struct aif_range){
		r->buffer.handle, 0, 1 });

	raw_client_ask(&r->client, AIF_F_TRANSFER | AIF_F_MAP);
	d.service = engine;
	return raw_transfer(&r->client, d);
}

static int submit_enxio(struct raw_rig *r)
{
	return fill_by(r, NOBODY);
}

/* It hangs, and cannot be reset. */
static int map_enodev(struct raw_rig *r)
{
	uint32_t number;
	int err;

	mock_shell("modprobe aif_mock maps=1 timeout_ms=500 reset_error=5 hang=1");
	raw_client_ask(&r->client, AIF_F_TRANSFER | AIF_F_MAP);
	err = raw_map(&r->client, r->buffer.handle, "mock", &number);
	if (!err && fill_by(r, number) == -EIO)
		err = raw_unmap(&r->client, r->buffer.handle, number) ?: map_by_name(r, "mock");
	mock_shell("rmmod aif_mock");
	return err;
}

static int map_eacces(struct raw_rig *r)
{
	struct raw_buffer b;
	uint32_t number;
	int err = accept_with(r, AIF_RIGHT_READ, 0, &b);

	raw_client_ask(&r->client, AIF_F_MAP);
	return err ?: raw_map(&r->client, b.handle, "cpu", &number);
}

static int unmap_eacces(struct raw_rig *r)
{
	struct raw_buffer b;
	int err = accept_with(r, AIF_RIGHT_READ, 0, &b);

	raw_client_ask(&r->client, AIF_F_MAP);
	return err ?: raw_unmap(&r->client, b.handle, 1);
}

static int unmap_enoent(struct raw_rig *r)
{
	raw_client_ask(&r->client, AIF_F_MAP);
	return raw_unmap(&r->client, r->buffer.handle, NOBODY);
}

static int grant_einval(struct raw_rig *r)
{
	uint32_t grant;
	int h = pin(r, 1);

	return h < 0 ? h : raw_grant(&r->client, (uint32_t)h, r->handle, 0, &grant);
}

static int free_enoent(struct raw_rig *r)
{
	return raw_buffer_free(&r->client, &(struct raw_buffer){ .handle = NOBODY });
}

static int free_ebusy(struct raw_rig *r)
{
	return raw_buffer_free(&r->client, &r->buffer);
}

static int grant_enoent(struct raw_rig *r)
{
	uint32_t grant;
	int err = raw_grant(&r->client, NOBODY, r->handle, 0, &grant);

	return err == -ENOENT ? raw_grant(&r->client, r->buffer.handle, NOBODY, 0, &grant) : err;
}

/* With the rig's buffer it is more than the service may have. */
static int grant_edquot(struct raw_rig *r)
{
	struct raw_buffer b;
	uint32_t grant;
	int err = raw_buffer_alloc(&r->client, 256 << 10, &b);

	if (err)
		return err;
	err = raw_grant(&r->client, b.handle, r->handle, 0, &grant);
	raw_buffer_free(&r->client, &b);
	return err;
}

static int grant_enospc(struct raw_rig *r)
{
	uint32_t grant;
	int i, err = 0;

	for (i = 0; i < 4 && !err; i++)
		err = raw_grant(&r->client, r->buffer.handle, r->handle, 0, &grant);
	return err;
}

static int revoke_enoent(struct raw_rig *r)
{
	return raw_revoke(&r->client, NOBODY);
}

static int declare(int fd, uint32_t handle, uint32_t pins)
{
	struct aif_ioc_declare_pins arg = { .size = sizeof(arg), .handle = handle, .pins = pins };

	return raw_call(fd, AIF_IOC_DECLARE_PINS, &arg);
}

static int declare_enoent(struct raw_rig *r)
{
	int err = declare(r->client.fd, NOBODY, 1);

	return err == -ENOENT ? declare(r->executor.fd, NOBODY, 1) : err;
}

static int declare_einval(struct raw_rig *r)
{
	return declare(r->client.fd, r->buffer.handle, 1025);
}

/* ---- services ---- */

static int create(const char *name)
{
	struct aif_service_desc desc = raw_service_desc(name);
	struct raw_service s;
	int err = raw_service_create(&s, &desc, RAW_EXECUTOR_UID);

	raw_service_close(&s);
	return err;
}

static int create_eexist(struct raw_rig *r)
{
	return create(r->service.name);
}

static int create_ebusy(struct raw_rig *r)
{
	struct aif_ioc_service_create arg = {
		.size = sizeof(arg), .desc = raw_service_desc("second"),
	};
	int err = raw_call(r->service.fd, AIF_IOC_SERVICE_CREATE, &arg);

	return err == -EBUSY ? raw_call(r->executor.fd, AIF_IOC_SERVICE_CREATE, &arg) : err;
}

static int create_enospc(struct raw_rig *r)
{
	struct aif_service_desc desc;
	struct raw_service s[8];
	char name[8];
	int i, err = 0;

	for (i = 0; i < 8 && !err; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		desc = raw_service_desc(name);
		err = raw_service_create(&s[i], &desc, RAW_EXECUTOR_UID);
	}
	while (i--)
		raw_service_close(&s[i]);
	return err;
}

static int describe_enoent(struct raw_rig *r)
{
	struct aif_ioc_service_describe d;

	return raw_service_describe(r->client.fd, NOBODY, &d);
}

static int open_enoent(struct raw_rig *r)
{
	int err = raw_service_open(&r->client, "nobody", RAW_EXECUTOR_UID);

	return err == -ENOENT ? raw_service_open(&r->client, r->service.name, 0) : err;
}

/* Handles last as long as the client, whatever becomes of the services. */
static int open_enospc(struct raw_rig *r)
{
	struct aif_service_desc desc = raw_service_desc("brief");
	struct raw_service s;
	int i, ret = 0;

	for (i = 0; i < 8 && ret >= 0; i++) {
		ret = raw_service_create(&s, &desc, RAW_EXECUTOR_UID);
		if (!ret)
			ret = raw_service_open(&r->client, "brief", RAW_EXECUTOR_UID);
		raw_service_close(&s);
	}
	return ret;
}

static int open_enxio(struct raw_rig *r)
{
	struct raw_client c = { .fd = raw_open_as("/dev/aif", RAW_CLIENT_UID) };
	int ret = raw_service_open(&c, r->service.name, RAW_EXECUTOR_UID);

	close(c.fd);
	return ret;
}

static int drain_submit(struct raw_rig *r)
{
	raw_service_drain(&r->service);
	return submit_one(r, 0);
}

static int drain_fetch(struct raw_rig *r)
{
	struct raw_taken taken[16];

	fetch_all(r, taken);	/* the event of the grant */
	raw_service_drain(&r->service);
	return raw_turn(&r->executor, 0, 0, 1);
}

/* ---- requests ---- */

static int submit_einval(struct raw_rig *r)
{
	return submit_one(r, r->client.depth);
}

static int submit_ebusy(struct raw_rig *r)
{
	submit_one(r, 0);
	return submit_one(r, 0);
}

static int submit_ebadf(struct raw_rig *r)
{
	struct aif_desc d = raw_rig_desc(r, 0);

	d.service = NOBODY;
	return raw_submit(&r->client, &d, 1, 0);
}

static int submit_enoent(struct raw_rig *r)
{
	struct aif_desc d = raw_rig_desc(r, 0);

	d.ranges[1].grant = NOBODY;
	return raw_submit(&r->client, &d, 1, 0);
}

static int submit_eacces(struct raw_rig *r)
{
	struct aif_desc d = raw_rig_desc(r, 0);
	int err = raw_grant(&r->client, r->buffer.handle, r->handle, 0, &d.ranges[1].grant);

	return err ? err : raw_submit(&r->client, &d, 1, 0);
}

struct revoking {
	struct raw_rig *rig;
	uint32_t grant;		/* 0: none; set by the submitter, cleared by the revoker */
	bool stop;
};

static void *revoke_loop(void *p)
{
	struct revoking *v = p;
	uint32_t grant;

	while (!__atomic_load_n(&v->stop, __ATOMIC_ACQUIRE)) {
		grant = __atomic_load_n(&v->grant, __ATOMIC_ACQUIRE);
		if (!grant)
			continue;
		raw_revoke(&v->rig->client, grant);
		__atomic_store_n(&v->grant, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Submit with @grant until it is refused. */
static int submit_until_refused(struct raw_rig *r, uint32_t grant)
{
	struct aif_desc d;
	int ret = 1;

	while (ret == 1) {
		d = raw_rig_desc(r, 0);
		d.ranges[0].grant = grant;
		ret = raw_submit(&r->client, &d, 1, 0);
		if (ret == 1)
			raw_cancel(&r->client, 0, d.generation);
	}
	return ret;
}

/*
 * Only between the beginning of a REVOKE and its end, when the handle is gone:
 * one thread revokes, this one submits, until it was met.
 */
static int submit_ekeyrevoked(struct raw_rig *r)
{
	struct revoking v = { .rig = r };
	int i, ret = -ENOENT;
	pthread_t thread;
	uint32_t grant;

	pthread_create(&thread, NULL, revoke_loop, &v);
	for (i = 0; i < 20000 && ret == -ENOENT; i++) {
		ret = raw_grant(&r->client, r->buffer.handle, r->handle, 0, &grant);
		if (ret)
			break;
		__atomic_store_n(&v.grant, grant, __ATOMIC_RELEASE);
		ret = submit_until_refused(r, grant);
		while (__atomic_load_n(&v.grant, __ATOMIC_ACQUIRE))
			;
		raw_echo_all(&r->executor, AIF_FETCH_F_NONBLOCK, 16);
	}
	__atomic_store_n(&v.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	return ret;
}

static int submit_etime(struct raw_rig *r)
{
	struct aif_desc d = raw_rig_desc(r, 0);

	d.deadline = 1;
	return raw_submit(&r->client, &d, 1, 0);
}

/* In flight: queued, or in the executor's hands. */
static int submit_edquot(struct raw_rig *r)
{
	struct raw_taken taken[32];
	int n = 0, got, ret;

	do {
		ret = submit_many(r, (uint32_t)n, 4);
		got = fetch_all(r, taken + n);
		n += got > 0 ? got : 0;
	} while (ret == 1 && got > 0 && n <= 16);
	give_all(r, taken, n);
	return ret;
}

static int submit_eagain(struct raw_rig *r)
{
	submit_many(r, 0, 4);
	return submit_one(r, 4);
}

static int submit_enodev(struct raw_rig *r)
{
	raw_service_close(&r->service);
	return submit_one(r, 0);
}

static int submit_eintr(struct raw_rig *r)
{
	struct aif_desc d = raw_rig_desc(r, 0);
	int err;

	signals(true);
	err = raw_submit(&r->client, &d, 1, AIF_SUBMIT_F_WAIT_ALL);
	signals(false);
	return err;
}

static int wait_etime(struct raw_rig *r)
{
	return raw_wait(&r->client, 1, 1000000);
}

static int wait_quiet_etime(struct raw_rig *r)
{
	int err;

	submit_one(r, 0);
	do	/* what is left of the last row's ring may interrupt it */
		err = raw_wait_quiet(&r->client, 0, 1000000);
	while (err == -EINTR);
	return err;
}

/* Park commands until one is not: its answer. */
static int park_too_many(struct raw_rig *r, uint32_t op, const void *payload)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int i, ret = -EAGAIN;

	if (io_uring_queue_init(128, &ring, 0))
		return -ENOSYS;
	for (i = 0; i < 65 && ret == -EAGAIN; i++) {
		raw_ring_prep(&ring, r->client.fd, op, payload, 0);
		io_uring_submit(&ring);
		ret = io_uring_peek_cqe(&ring, &cqe);
	}
	if (!ret)
		ret = i == 65 ? cqe->res : -ENOSYS;
	io_uring_queue_exit(&ring);
	return ret;
}

static int wait_enospc(struct raw_rig *r)
{
	static const struct aif_cmd_wait wait = { .value = 1 };

	return park_too_many(r, AIF_CMD_WAIT, &wait);
}

static int wait_quiet_enospc(struct raw_rig *r)
{
	static const struct aif_cmd_wait_quiet wait = { .tag = 0 };

	submit_one(r, 0);
	return park_too_many(r, AIF_CMD_WAIT_QUIET, &wait);
}

static int cancel_enoent(struct raw_rig *r)
{
	submit_one(r, 0);
	return raw_cancel(&r->client, 0, r->client.generation - 1);
}

/* The wait is parked in a ring when its SQE was taken. */
static int cancel_ecanceled(struct raw_rig *r)
{
	struct aif_ioc_cancel cancel = {
		.size = sizeof(cancel), .flags = AIF_CANCEL_F_WAITS, .tag = AIF_TAG_ALL,
	};
	struct aif_cmd_wait wait = { .value = 1 };
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int ret;

	if (io_uring_queue_init(8, &ring, 0))
		return -ENOSYS;
	raw_ring_prep(&ring, r->client.fd, AIF_CMD_WAIT, &wait, 0);
	io_uring_submit(&ring);
	raw_call(r->client.fd, AIF_IOC_CANCEL, &cancel);
	ret = io_uring_wait_cqe(&ring, &cqe);
	if (!ret)
		ret = cqe->res;
	io_uring_queue_exit(&ring);
	return ret;
}

static int set_eventfd(struct raw_rig *r, int fd)
{
	struct aif_ioc_set_eventfd arg = { .size = sizeof(arg), .fd = fd };

	return raw_call(r->client.fd, AIF_IOC_SET_EVENTFD, &arg);
}

static int eventfd_ebadf(struct raw_rig *r)
{
	int err = set_eventfd(r, 1000);

	return err == -EBADF ? set_eventfd(r, -2) : err;
}

static int eventfd_einval(struct raw_rig *r)
{
	return set_eventfd(r, r->client.fd);
}

/* ---- executors ---- */

static int attach(int fd, uint32_t service, int holder)
{
	struct aif_ioc_executor_attach arg = {
		.size = sizeof(arg), .service = service, .holder_fd = holder, .slots = 1,
	};
	int err = raw_call(fd, AIF_IOC_EXECUTOR_ATTACH, &arg);

	close(fd);
	return err;
}

static int serve_open(uid_t uid)
{
	return raw_open_ids("/dev/aif-serve", uid, RAW_EXECUTOR_UID);
}

static int attach_enoent(struct raw_rig *r)
{
	return attach(serve_open(RAW_EXECUTOR_UID), NOBODY, -1);
}

static int attach_eacces(struct raw_rig *r)
{
	int err = attach(serve_open(RAW_ATTACKER_UID), r->service.id, -1);

	return err != -EACCES ? err :
	       attach(serve_open(RAW_ATTACKER_UID), r->service.id, r->executor.fd);
}

static int attach_ebusy(struct raw_rig *r)
{
	return attach(dup(r->executor.fd), r->service.id, -1);
}

static int attach_ebadf(struct raw_rig *r)
{
	int err = attach(serve_open(RAW_EXECUTOR_UID), r->service.id, 1000);

	return err != -EBADF ? err :
	       attach(serve_open(RAW_EXECUTOR_UID), r->service.id, r->client.fd);
}

static void *fetch_thread(void *p)
{
	struct raw_rig *r = p;

	return (void *)(intptr_t)raw_turn(&r->executor, 0, 0, 1);
}

/* One thread waits in FETCH; the service's end lets it go. */
static int fetch_ealready(struct raw_rig *r)
{
	struct raw_executor other = r->executor;
	struct raw_taken taken[16];
	pthread_t thread;
	int tries, ret;

	fetch_all(r, taken);
	pthread_create(&thread, NULL, fetch_thread, r);
	for (tries = 0; tries < 5000; tries++) {
		ret = raw_turn(&other, AIF_FETCH_F_NONBLOCK, 0, 1);
		if (ret != -EAGAIN)
			break;
		raw_sleep_ms(1);
	}
	raw_service_close(&r->service);
	pthread_join(thread, NULL);
	return ret;
}

static int fetch_eagain(struct raw_rig *r)
{
	struct raw_taken taken[16];

	fetch_all(r, taken);
	return fetch_all(r, taken);
}

/* The device's only token is with the other executor. */
static int fetch_ebusy(struct raw_rig *r)
{
	struct raw_taken mine[16], others[16];
	struct raw_executor other;
	int n, ret;

	if (raw_executor_open(&other, &r->service, 16))
		return -ENOSYS;
	submit_many(r, 0, 2);
	fetch_all(r, mine);		/* all of it: and give one back */
	give_all(r, mine, 2);
	submit_many(r, 0, 2);
	n = raw_take(&other, AIF_FETCH_F_NONBLOCK, 1, others);
	ret = fetch_all(r, mine);
	if (n == 1)
		raw_give(&other, others[0], 0, 0, 0);
	raw_executor_close(&other);
	return n == 1 ? ret : -ENOSYS;
}

static int fetch_eintr(struct raw_rig *r)
{
	struct raw_taken taken[16];
	int ret;

	fetch_all(r, taken);
	signals(true);
	ret = raw_turn(&r->executor, 0, 0, 1);
	signals(false);
	return ret;
}

static int progress_estale(struct raw_rig *r)
{
	struct raw_taken taken[16];
	int n, ret;

	submit_one(r, 0);
	n = fetch_all(r, taken);
	taken[0].generation++;
	ret = raw_progress(&r->executor, taken[0], 1, 0);
	taken[0].generation--;
	give_all(r, taken, n);
	return ret;
}

/* ---- tenants ---- */

static int child_tenants(void *p)
{
	struct raw_rig *r = p;

	return -raw_tenants(r->client.fd, NULL, 0);
}

static int tenants_eperm(struct raw_rig *r)
{
	return -raw_run_as(RAW_CLIENT_UID, child_tenants, r);
}

static int tenants_entry(struct raw_rig *r, uint32_t entry_size)
{
	struct aif_ioc_tenant_list arg = {
		.size = sizeof(arg), .tenants = (uintptr_t)&arg, .entry_size = entry_size,
	};

	return raw_call(r->client.fd, AIF_IOC_TENANT_LIST, &arg);
}

/* Too short, too long, odd. */
static int tenants_einval(struct raw_rig *r)
{
	if (tenants_entry(r, 184) != -EINVAL || tenants_entry(r, 1032) != -EINVAL)
		return 0;
	return tenants_entry(r, 196);
}

static int child_tenant_set(void *p)
{
	struct raw_rig *r = p;

	return -raw_tenant_set(r->client.fd, RAW_CLIENT_UID, AIF_TENANT_F_WEIGHT,
			       (struct aif_tenant_limits){ 0 });
}

static int tenant_set_eperm(struct raw_rig *r)
{
	return -raw_run_as(RAW_CLIENT_UID, child_tenant_set, r);
}

/* Nobody has this uid. */
static int tenant_set_enoent(struct raw_rig *r)
{
	return raw_tenant_set(r->client.fd, UINT32_MAX, AIF_TENANT_F_WEIGHT,
			      (struct aif_tenant_limits){ .weight = 1 });
}

/* Of the device "rt": @budget in @period microseconds. */
static int set_budget(struct raw_rig *r, uint64_t id, uint32_t budget, uint32_t period)
{
	struct aif_ioc_tenant_set arg = {
		.size = sizeof(arg), .flags = AIF_TENANT_F_REALTIME, .id = id,
		.realtime = { .budget_us = budget, .period_us = period,
			      .device = { budget ? 'r' : 0, budget ? 't' : 0 } },
	};

	return raw_call(r->client.fd, AIF_IOC_TENANT_SET, &arg);
}

static int tenant_set_ebusy(struct raw_rig *r)
{
	return set_budget(r, 5001, 96, 100);
}

static int tenant_set_enospc(struct raw_rig *r)
{
	uint32_t id, n = 0;
	int err = 0;

	for (id = 5001; !err && n < 1000; id++, n++)
		err = set_budget(r, id, 1, 1000000);
	for (id = 5001; id < 5001 + n; id++)
		set_budget(r, id, 0, 0);
	return n == 65 ? err : -EPROTO;
}

static int create_etime(struct raw_rig *r)
{
	struct aif_service_desc desc = raw_service_desc("slow");
	struct raw_service s = { .fd = -1 };
	int err = set_budget(r, 5001, 100, 1000);

	memset(desc.device, 0, sizeof(desc.device));
	strcpy(desc.device, "rt");
	desc.longest_step_ms = 1;
	if (!err)
		err = raw_service_create(&s, &desc, RAW_EXECUTOR_UID);
	close(s.fd);
	set_budget(r, 5001, 0, 0);
	return err;
}

static const struct row rows[] = {
	{ "COMMON EFAULT", EFAULT, common_efault },
	{ "COMMON EINVAL", EINVAL, common_einval },
	{ "COMMON E2BIG", E2BIG, common_e2big },
	{ "COMMON ENOTTY", ENOTTY, common_enotty },
	{ "COMMON EOPNOTSUPP", EOPNOTSUPP, common_eopnotsupp },
	{ "COMMON ENOMEM", ENOMEM, common_enomem },
	{ "COMMON EPERM", EPERM, common_eperm },
	{ "COMMON ENODEV", ENODEV, common_enodev },
	{ "COMMON ENXIO", ENXIO, common_enxio },
	{ "COMMON EINTR", EINTR, common_eintr },
	{ "RESULT ECANCELED", ECANCELED, result_ecanceled },
	{ "RESULT ETIME", ETIME, result_etime },
	{ "RESULT EKEYREVOKED", EKEYREVOKED, result_ekeyrevoked },
	{ "RESULT EOWNERDEAD", EOWNERDEAD, result_eownerdead },
	{ "RESULT EIO", EIO, result_eio, .max_attempts = 1 },
	{ "RESULT ENODEV", ENODEV, result_enodev },
	{ "RESULT of the executor's own", ERANGE, result_other },
	{ "INFO EBUSY", EBUSY, info_ebusy },
	{ "INFO EINVAL", EINVAL, info_einval },
	{ "BUFFER_ALLOC EDQUOT", EDQUOT, alloc_edquot },
	{ "BUFFER_ALLOC ENOMEM", ENOMEM, common_enomem },
	{ "BUFFER_ALLOC ENOSPC", ENOSPC, alloc_enospc },
	{ "BUFFER_FREE ENOENT", ENOENT, free_enoent },
	{ "BUFFER_FREE EBUSY", EBUSY, free_ebusy },
	{ "BUFFER_PIN EFAULT", EFAULT, pin_efault },
	{ "BUFFER_PIN ENOMEM", ENOMEM, pin_enomem },
	{ "BUFFER_PIN EEXIST", EEXIST, pin_eexist },
	{ "BUFFER_PIN EDQUOT", EDQUOT, pin_edquot },
	{ "BUFFER_PIN ENOSPC", ENOSPC, pin_enospc },
	{ "BUFFER_MEMFD EBADF", EBADF, memfd_ebadf },
	{ "BUFFER_MEMFD EACCES", EACCES, memfd_eacces },
	{ "BUFFER_MEMFD EINVAL", EINVAL, memfd_einval },
	{ "BUFFER_MEMFD EPERM", EPERM, memfd_eperm },
	{ "BUFFER_MEMFD ENOMEM", ENOMEM, memfd_enomem },
	{ "BUFFER_MEMFD EDQUOT", EDQUOT, memfd_edquot },
	{ "BUFFER_MEMFD ENOSPC", ENOSPC, memfd_enospc },
	{ "BUFFER_IMPORT EBADF", EBADF, import_ebadf },
	{ "BUFFER_IMPORT EINVAL", EINVAL, import_einval },
	{ "BUFFER_IMPORT EACCES", EACCES, import_eacces },
	{ "BUFFER_IMPORT EOPNOTSUPP", EOPNOTSUPP, import_eopnotsupp },
	{ "BUFFER_IMPORT EDQUOT", EDQUOT, import_edquot },
	{ "BUFFER_IMPORT ENOSPC", ENOSPC, import_enospc },
	{ "BUFFER_SYNC ENXIO", ENXIO, sync_enxio },
	{ "BUFFER_SYNC ENOENT", ENOENT, sync_enoent },
	{ "BUFFER_SYNC EINVAL", EINVAL, sync_einval },
	{ "BUFFER_SYNC EACCES", EACCES, sync_eacces },
	{ "BUFFER_SYNC EPERM", EPERM, sync_eperm },
	{ "BUFFER_SYNC EALREADY", EALREADY, sync_ealready },
	{ "BUFFER_SYNC EBUSY", EBUSY, sync_ebusy },
	{ "BUFFER_SHARE ENOENT", ENOENT, share_enoent },
	{ "BUFFER_SHARE EINVAL", EINVAL, share_einval },
	{ "BUFFER_SHARE EACCES", EACCES, share_eacces },
	{ "BUFFER_SHARE EMFILE", EMFILE, share_emfile },
	{ "BUFFER_SHARE ENFILE", ENFILE, share_enfile },
	{ "BUFFER_ACCEPT EBADF", EBADF, accept_ebadf },
	{ "BUFFER_ACCEPT EINVAL", EINVAL, accept_einval },
	{ "BUFFER_ACCEPT EACCES", EACCES, accept_eacces },
	{ "BUFFER_ACCEPT ENOSPC", ENOSPC, accept_enospc },
	{ "BUFFER_MAP ENOENT", ENOENT, map_enoent },
	{ "BUFFER_MAP EINVAL", EINVAL, map_einval },
	{ "BUFFER_MAP EACCES", EACCES, map_eacces },
	{ "BUFFER_MAP EOPNOTSUPP", EOPNOTSUPP, map_eopnotsupp },
	{ "BUFFER_MAP ENODEV", ENODEV, map_enodev },
	{ "BUFFER_MAP EDQUOT", EDQUOT, map_edquot },
	{ "BUFFER_MAP ENOSPC", ENOSPC, map_enospc },
	{ "BUFFER_MAP ENOMEM", ENOMEM, map_enomem },
	{ "BUFFER_MAP EIO", EIO, map_eio },
	{ "BUFFER_UNMAP ENOENT", ENOENT, unmap_enoent },
	{ "BUFFER_UNMAP EACCES", EACCES, unmap_eacces },
	{ "GRANT ENOENT", ENOENT, grant_enoent },
	{ "GRANT EINVAL", EINVAL, grant_einval },
	{ "GRANT EACCES", EACCES, grant_eacces },
	{ "GRANT EDQUOT", EDQUOT, grant_edquot },
	{ "GRANT ENOSPC", ENOSPC, grant_enospc },
	{ "REVOKE ENOENT", ENOENT, revoke_enoent },
	{ "REVOKE EKEYREVOKED", EKEYREVOKED, result_ekeyrevoked },
	{ "DECLARE_PINS ENOENT", ENOENT, declare_enoent },
	{ "DECLARE_PINS EINVAL", EINVAL, declare_einval },
	{ "SERVICE_CREATE EEXIST", EEXIST, create_eexist },
	{ "SERVICE_CREATE EBUSY", EBUSY, create_ebusy },
	{ "SERVICE_CREATE ENOSPC", ENOSPC, create_enospc },
	{ "SERVICE_CREATE ETIME", ETIME, create_etime },
	{ "SERVICE_DESCRIBE ENOENT", ENOENT, describe_enoent },
	{ "SERVICE_OPEN ENOENT", ENOENT, open_enoent },
	{ "SERVICE_OPEN ENXIO", ENXIO, open_enxio },
	{ "SERVICE_OPEN ENOSPC", ENOSPC, open_enospc },
	{ "SERVICE_DRAIN ESHUTDOWN", ESHUTDOWN, drain_submit },
	{ "SUBMIT EINVAL", EINVAL, submit_einval },
	{ "SUBMIT EBUSY", EBUSY, submit_ebusy },
	{ "SUBMIT EBADF", EBADF, submit_ebadf },
	{ "SUBMIT ENOENT", ENOENT, submit_enoent },
	{ "SUBMIT EACCES", EACCES, submit_eacces },
	{ "SUBMIT EKEYREVOKED", EKEYREVOKED, submit_ekeyrevoked },
	{ "SUBMIT ENXIO", ENXIO, submit_enxio },
	{ "SUBMIT ETIME", ETIME, submit_etime },
	{ "SUBMIT EDQUOT", EDQUOT, submit_edquot },
	{ "SUBMIT EAGAIN", EAGAIN, submit_eagain },
	{ "SUBMIT ESHUTDOWN", ESHUTDOWN, drain_submit },
	{ "SUBMIT ENODEV", ENODEV, submit_enodev },
	{ "SUBMIT EINTR", EINTR, submit_eintr },
	{ "WAIT ETIME", ETIME, wait_etime },
	{ "WAIT ENOSPC", ENOSPC, wait_enospc, .by_ring = true },
	{ "WAIT_QUIET ETIME", ETIME, wait_quiet_etime },
	{ "WAIT_QUIET ENOSPC", ENOSPC, wait_quiet_enospc, .by_ring = true },
	{ "CANCEL ENOENT", ENOENT, cancel_enoent },
	{ "CANCEL ECANCELED", ECANCELED, cancel_ecanceled, .by_ring = true },
	{ "SET_EVENTFD EBADF", EBADF, eventfd_ebadf },
	{ "SET_EVENTFD EINVAL", EINVAL, eventfd_einval },
	{ "EXECUTOR_ATTACH ENOENT", ENOENT, attach_enoent },
	{ "EXECUTOR_ATTACH EACCES", EACCES, attach_eacces },
	{ "EXECUTOR_ATTACH EBUSY", EBUSY, attach_ebusy },
	{ "EXECUTOR_ATTACH EBADF", EBADF, attach_ebadf },
	{ "EXECUTOR_ATTACH EPERM", EPERM, common_eperm },
	{ "COMMIT_FETCH EALREADY", EALREADY, fetch_ealready },
	{ "COMMIT_FETCH EAGAIN", EAGAIN, fetch_eagain },
	{ "COMMIT_FETCH EBUSY", EBUSY, fetch_ebusy },
	{ "COMMIT_FETCH ESHUTDOWN", ESHUTDOWN, drain_fetch },
	{ "COMMIT_FETCH ENODEV", ENODEV, common_enodev },
	{ "COMMIT_FETCH EINTR", EINTR, fetch_eintr },
	{ "PROGRESS ESTALE", ESTALE, progress_estale },
	{ "TENANT_LIST EPERM", EPERM, tenants_eperm },
	{ "TENANT_LIST EINVAL", EINVAL, tenants_einval },
	{ "TENANT_SET EPERM", EPERM, tenant_set_eperm },
	{ "TENANT_SET ENOENT", ENOENT, tenant_set_enoent },
	{ "TENANT_SET EBUSY", EBUSY, tenant_set_ebusy },
	{ "TENANT_SET ENOSPC", ENOSPC, tenant_set_enospc },
};

static void test_row(void **state)
{
	const struct row *row = *state;
	struct aif_service_desc desc = raw_service_desc("echo");
	struct raw_rig r;
	int ret;

	if (row->by_ring)
		tap_needs_ring_door();
	desc.max_attempts = row->max_attempts;
	assert_int_equal(raw_all_gone(), 0);	/* the last row's clients, charged until then */
	assert_int_equal(raw_rig_open(&r, &desc), 0);
	ret = row->reach(&r);
	raw_rig_close(&r);
	assert_int_equal(ret, -row->err);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(rows)];
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){
			.name = rows[i].name, .test_func = test_row,
			.initial_state = (void *)&rows[i],
		};
	return tap_run("errnos", tests, NULL, NULL);
}
