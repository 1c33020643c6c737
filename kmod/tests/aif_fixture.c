// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/mm.h>

#include "aif_fixture.h"

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");	/* mm_alloc() */

bool aif_fx_reaches(const atomic64_t *gauge, s64 value)
{
	unsigned int tries;

	for (tries = 0; tries < 500; tries++) {
		flush_workqueue(aif_wq);
		if (atomic64_read(gauge) == value)
			return true;
		msleep(20);
	}
	return false;
}

static void aif_fx_expect_quiet(void *context)
{
	struct kunit *test = context;

	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.clients, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.executors, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.views, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.grants, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.services, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.devices, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.buffers, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.buffer_bytes, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.held_bytes, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.pinned_bytes, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.mapped_bytes, 0));
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.tenants, 0));
}

int aif_fx_init(struct kunit *test)
{
	/* Somebody else's objects would be counted among ours. */
	if (atomic64_read(&aif_gauges.clients) || atomic64_read(&aif_gauges.services)) {
		kunit_err(test, "the module is in use\n");
		return -EBUSY;
	}
	return kunit_add_action(test, aif_fx_expect_quiet, test);
}

struct aif_fx_saved {
	void *var;
	size_t size;
	u64 value;
};

static void aif_fx_restore(void *context)
{
	struct aif_fx_saved *saved = context;

	memcpy(saved->var, &saved->value, saved->size);
}

void aif_fx_set(struct kunit *test, void *var, const void *value, size_t size)
{
	struct aif_fx_saved *saved = kunit_kzalloc(test, sizeof(*saved), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, saved);
	KUNIT_ASSERT_LE(test, size, sizeof(saved->value));
	saved->var = var;
	saved->size = size;
	memcpy(&saved->value, var, size);
	memcpy(var, value, size);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, aif_fx_restore, saved), 0);
}

static void aif_fx_put_file(void *filp)
{
	__fput_sync(filp);
}

struct file *aif_fx_open(struct kunit *test, const struct file_operations *fops)
{
	struct file *filp = anon_inode_getfile("[aif-kunit]", fops, NULL, O_RDWR);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, filp);
	KUNIT_ASSERT_EQ(test, fops->open(file_inode(filp), filp), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, aif_fx_put_file, filp), 0);
	return filp;
}

struct file *aif_fx_open_serve(struct kunit *test, uid_t euid)
{
	struct file *filp = aif_fx_open(test, &aif_serve_fops);
	struct cred *cred = kunit_kzalloc(test, sizeof(*cred), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cred);
	cred->euid = KUIDT_INIT(euid);
	aif_fx_file(filp)->cred = cred;
	return filp;
}

void aif_fx_close(struct kunit *test, struct file *filp)
{
	kunit_release_action(test, aif_fx_put_file, filp);
}

struct aif_client *aif_fx_client_file(struct kunit *test, u32 depth, struct file **filp)
{
	struct file *opened = aif_fx_open(test, &aif_client_fops);
	struct aif_file *f = aif_fx_file(opened);
	struct aif_ioc_info *arg;

	if (filp)
		*filp = opened;
	if (!depth)
		return f->client;
	arg = kunit_kzalloc(test, sizeof(*arg), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, arg);
	arg->depth = depth;
	KUNIT_ASSERT_EQ(test, aif_client_info(f, arg), 0);
	return f->client;
}

static void aif_fx_describe(struct aif_io *io, const char *name, u32 flags)
{
	strscpy(io->name, name, sizeof(io->name));
	io->kind = AIF_IO_TENSOR;
	io->dtype = AIF_DTYPE_U8;
	io->flags = flags;
	io->dims = 1;
	io->shape[0] = -1;
	io->alignment = 1;
	io->max_bytes = SZ_64K;
}

int aif_fx_create(struct kunit *test, struct file *filp, const char *name, const char *device,
		  u32 step_tokens)
{
	struct aif_ioc_service_create *arg = kunit_kzalloc(test, sizeof(*arg), GFP_KERNEL);
	struct aif_service_desc *desc = &arg->desc;

	KUNIT_ASSERT_NOT_NULL(test, arg);
	strscpy(desc->name, name, sizeof(desc->name));
	strscpy(desc->device, device, sizeof(desc->device));
	desc->step_tokens = step_tokens;
	desc->io_count = 2;
	aif_fx_describe(&desc->io[0], "in", 0);
	aif_fx_describe(&desc->io[1], "out", AIF_IO_F_OUTPUT);
	return aif_service_create(aif_fx_file(filp), arg);
}

struct aif_service *aif_fx_service(struct kunit *test, const char *name, const char *device,
				   u32 step_tokens, struct file **filp)
{
	struct file *f = aif_fx_open_serve(test, 0);

	KUNIT_ASSERT_EQ(test, aif_fx_create(test, f, name, device, step_tokens), 0);
	if (filp)
		*filp = f;
	return aif_fx_file(f)->service;
}

u32 aif_fx_open_service(struct kunit *test, struct aif_client *c, struct aif_service *s)
{
	struct aif_ioc_service_open arg = { .owner = from_kuid(&init_user_ns, s->owner) };

	memcpy(arg.name, s->desc.name, sizeof(arg.name));
	KUNIT_ASSERT_EQ(test, aif_client_open_service(c, &arg), 0);
	return arg.out_handle;
}

u32 aif_fx_buffer(struct kunit *test, struct aif_client *c, u64 bytes)
{
	struct aif_ioc_buffer_alloc arg = { .bytes = bytes };

	KUNIT_ASSERT_EQ(test, aif_buffer_alloc(c, &arg), 0);
	return arg.out_handle;
}

/* A kernel thread's files go by a worker. */
void aif_fx_close_fd(struct kunit *test, int fd)
{
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	flush_delayed_fput();
}

u32 aif_fx_shared(struct kunit *test, struct aif_client *from, u32 handle,
		  struct aif_client *to, u32 rights)
{
	struct aif_ioc_buffer_accept arg = { .fd = aif_handle_share(from, handle, rights) };

	KUNIT_ASSERT_GE(test, arg.fd, 0);
	KUNIT_EXPECT_EQ(test, aif_handle_accept(to, &arg), 0);
	aif_fx_close_fd(test, arg.fd);
	return arg.out_handle;
}

u32 aif_fx_grant(struct kunit *test, struct aif_client *c, u32 buffer, u32 service)
{
	struct aif_ioc_grant arg = {
		.buffer = buffer, .service = service, .flags = AIF_GRANT_F_WRITE,
	};

	KUNIT_ASSERT_EQ(test, aif_grant_create(c, &arg), 0);
	return arg.out_grant;
}

/* A thread that ends with an mm puts it, so a test that is cut short does too. */
void aif_fx_process_enter(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mm->task_size = TASK_SIZE;
	kthread_use_mm(mm);
}

void aif_fx_process_leave(void)
{
	struct mm_struct *mm = current->mm;

	kthread_unuse_mm(mm);
	mmput(mm);
}

struct aif_executor *aif_fx_executor(struct kunit *test, struct aif_service *s, u32 slots)
{
	struct aif_file *f = aif_fx_file(aif_fx_open_serve(test, 0));
	struct aif_ioc_executor_attach arg = { .service = s->id, .holder_fd = -1, .slots = slots };

	KUNIT_ASSERT_EQ(test, aif_executor_attach(f, &arg), 0);
	return f->executor;
}

void aif_fx_path(struct kunit *test, struct aif_fx_path *p, u32 depth)
{
	*p = (struct aif_fx_path) { };
	p->service = aif_fx_service(test, "a", "cpu", 1, &p->holder);
	p->client = aif_fx_client_file(test, depth, &p->file);
	p->open = aif_fx_open_service(test, p->client, p->service);
	p->buffer = aif_fx_buffer(test, p->client, AIF_FX_BYTES);
	p->grant = aif_fx_grant(test, p->client, p->buffer, p->open);
	p->granted = xa_load(&p->client->grants, p->grant);
}

struct aif_desc aif_fx_desc(const struct aif_fx_path *p, u32 tag, u32 generation)
{
	return (struct aif_desc) {
		.tag = tag, .generation = generation, .service = p->open,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = {
			{ p->grant, 0, 1 },
			{ p->grant, PAGE_SIZE, AIF_FX_OUTPUT },
		},
	};
}

int aif_fx_submit(struct aif_fx_path *p, const struct aif_desc *descs, u32 count)
{
	struct aif_batch *wait;
	u32 i;

	for (i = 0; i < count; i++)
		*(struct aif_desc *)aif_mapped_at(&p->client->arrays[AIF_ARRAY_DESC], i) = descs[i];
	return aif_submit(p->client, 0, 0, count, &wait);
}

const struct aif_completion *aif_fx_completion(const struct aif_fx_path *p, u32 tag)
{
	return aif_mapped_at(&p->client->arrays[AIF_ARRAY_COMPLETION], tag);
}

int aif_fx_commit(struct aif_executor *ex, const struct aif_commit *commit, u32 *stale)
{
	*(struct aif_commit *)aif_mapped_at(&ex->arrays[AIF_ARRAY_COMMIT], 0) = *commit;
	return aif_executor_turn(ex, AIF_FETCH_F_COMMIT_ONLY, 0, 1, 0, stale);
}
