// SPDX-License-Identifier: GPL-2.0-only
/* Handles: rights, files that pass them on, and what keeps a buffer. */
#include <linux/file.h>

#include "aif_fixture.h"

#define READ_MAP	(AIF_RIGHT_READ | AIF_RIGHT_MAP)

static const struct share_row {
	const char *name;
	u32 has, shared, asked;
	int share, accept;	/* what comes of it */
	u32 got;
} share_rows[] = {
	{ "all of all", AIF_RIGHT_ALL, AIF_RIGHT_ALL, AIF_RIGHT_ALL, 0, 0, AIF_RIGHT_ALL },
	{ "whatever there is", AIF_RIGHT_ALL, READ_MAP, 0, 0, 0, READ_MAP },
	{ "less than there is", AIF_RIGHT_ALL, READ_MAP, AIF_RIGHT_MAP, 0, 0, AIF_RIGHT_MAP },
	{ "more than was shared", AIF_RIGHT_ALL, READ_MAP, AIF_RIGHT_WRITE, 0, -EACCES },
	{ "some more than was shared", AIF_RIGHT_ALL, READ_MAP, AIF_RIGHT_ALL, 0, -EACCES },
	{ "what it has", READ_MAP, 0, 0, 0, 0, READ_MAP },
	{ "one that there is not", AIF_RIGHT_ALL, AIF_RIGHT_ALL + 1, 0, -EINVAL },
	{ "asked for one that there is not", AIF_RIGHT_ALL, AIF_RIGHT_ALL, 1u << 31, 0, -EINVAL },
	{ "one that it has not", READ_MAP, AIF_RIGHT_TRANSFER, 0, -EACCES },
	{ "one more than it has", READ_MAP, AIF_RIGHT_ALL, 0, -EACCES },
};

KUNIT_ARRAY_PARAM_DESC(share_rows, share_rows, name);

/* A page of a client's, as another has it with @rights. */
static struct aif_client *with_rights(struct kunit *test, u32 rights, u32 *handle)
{
	struct aif_client *from = aif_fx_client(test, 0), *to = aif_fx_client(test, 0);

	*handle = aif_fx_shared(test, from, aif_fx_buffer(test, from, PAGE_SIZE), to, rights);
	return to;
}

static void test_handle_rights(struct kunit *test)
{
	const struct share_row *row = test->param_value;
	u32 handle;
	struct aif_client *c = with_rights(test, row->has, &handle);
	struct aif_ioc_buffer_accept arg = { .rights = row->asked };

	arg.fd = aif_handle_share(c, handle, row->shared);
	KUNIT_ASSERT_EQ(test, min(arg.fd, 0), row->share);
	if (arg.fd < 0)
		return;
	KUNIT_EXPECT_EQ(test, aif_handle_accept(c, &arg), row->accept);
	if (!row->accept) {
		KUNIT_EXPECT_EQ(test, arg.out_rights, row->got);
		KUNIT_EXPECT_EQ(test, aif_fx_handle(c, arg.out_handle)->rights, row->got);
		KUNIT_EXPECT_EQ(test, arg.out_bytes, PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, arg.out_offset, (u64)arg.out_handle << AIF_MMAP_SHIFT);
	}
	aif_fx_close_fd(test, arg.fd);
}

/* The file alone keeps the buffer, and the charge to who allocated it. */
static void test_handle_file_keeps(struct kunit *test)
{
	struct aif_client *from = aif_fx_client(test, 0), *to = aif_fx_client(test, 0);
	u32 handle = aif_fx_buffer(test, from, PAGE_SIZE);
	struct aif_ioc_buffer_accept arg = { };

	arg.fd = aif_handle_share(from, handle, READ_MAP);
	KUNIT_ASSERT_GE(test, arg.fd, 0);
	KUNIT_EXPECT_EQ(test, aif_handle_free(from, handle), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 1);
	KUNIT_EXPECT_EQ(test, atomic64_read(&from->tenant->bytes), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, aif_handle_accept(to, &arg), 0);
	aif_fx_close_fd(test, arg.fd);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 1);
	KUNIT_EXPECT_EQ(test, aif_handle_free(to, arg.out_handle), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&from->tenant->bytes), 0);
}

/* No more handles: the buffer that could not come stays as it was. */
static void test_handle_no_room(struct kunit *test)
{
	struct aif_client *from = aif_fx_client(test, 0), *to = aif_fx_client(test, 0);
	u32 handle = aif_fx_buffer(test, from, PAGE_SIZE);
	struct aif_buffer *b = aif_fx_handle(from, handle)->buffer;
	struct aif_ioc_buffer_accept arg = { };

	aif_fx_buffer(test, to, PAGE_SIZE);
	AIF_FX_SET(test, aif_max_buffers, 1);
	arg.fd = aif_handle_share(from, handle, AIF_RIGHT_ALL);
	KUNIT_ASSERT_GE(test, arg.fd, 0);
	KUNIT_EXPECT_EQ(test, aif_handle_accept(to, &arg), -ENOSPC);
	KUNIT_EXPECT_EQ(test, kref_read(&b->ref), 2);
	aif_fx_close_fd(test, arg.fd);
	KUNIT_EXPECT_EQ(test, kref_read(&b->ref), 1);
}

/* What is no file of ours is not looked into. */
static void test_handle_other_files(struct kunit *test)
{
	struct aif_client *c = aif_fx_client(test, 0);
	struct aif_ioc_buffer_accept arg = { .fd = -1 };
	struct file *filp = aif_fx_open(test, &aif_client_fops);

	KUNIT_EXPECT_EQ(test, aif_handle_accept(c, &arg), -EBADF);
	arg.fd = get_unused_fd_flags(0);
	KUNIT_ASSERT_GE(test, arg.fd, 0);
	KUNIT_EXPECT_EQ(test, aif_handle_accept(c, &arg), -EBADF);
	fd_install(arg.fd, get_file(filp));
	KUNIT_EXPECT_EQ(test, aif_handle_accept(c, &arg), -EINVAL);
	arg.__reserved = 1;
	KUNIT_EXPECT_EQ(test, aif_handle_accept(c, &arg), -EINVAL);
	aif_fx_close_fd(test, arg.fd);
	KUNIT_EXPECT_EQ(test, c->buffer_count, 0);
}

/* A grant keeps the handle that it was made of, with its rights and no others. */
static void test_handle_grants(struct kunit *test)
{
	struct aif_service *s = aif_fx_service(test, "a", "cpu", 1, NULL);
	struct aif_client *from = aif_fx_client(test, 4), *to = aif_fx_client(test, 4);
	u32 mine = aif_fx_buffer(test, from, PAGE_SIZE);
	u32 theirs = aif_fx_shared(test, from, mine, to, READ_MAP);
	struct aif_ioc_grant arg = {
		.buffer = theirs, .service = aif_fx_open_service(test, to, s),
		.flags = AIF_GRANT_F_WRITE,
	};

	KUNIT_EXPECT_EQ(test, aif_grant_create(to, &arg), -EACCES);
	arg.flags = 0;
	KUNIT_EXPECT_EQ(test, aif_grant_create(to, &arg), 0);
	KUNIT_EXPECT_EQ(test, aif_handle_free(to, theirs), -EBUSY);
	KUNIT_EXPECT_EQ(test, aif_handle_free(from, mine), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&aif_gauges.buffers), 1);
	KUNIT_EXPECT_EQ(test, aif_grant_revoke(to, arg.out_grant), 0);
	KUNIT_EXPECT_EQ(test, aif_handle_free(to, theirs), 0);
	KUNIT_EXPECT_TRUE(test, aif_fx_reaches(&aif_gauges.buffers, 0));
}

static struct kunit_case aif_handle_cases[] = {
	KUNIT_CASE_PARAM(test_handle_rights, share_rows_gen_params),
	KUNIT_CASE(test_handle_file_keeps),
	KUNIT_CASE(test_handle_no_room),
	KUNIT_CASE(test_handle_other_files),
	KUNIT_CASE(test_handle_grants),
	{}
};

static struct kunit_suite aif_handle_suite = {
	.name = "aif_handle",
	.init = aif_fx_init,
	.test_cases = aif_handle_cases,
};

kunit_test_suite(aif_handle_suite);
