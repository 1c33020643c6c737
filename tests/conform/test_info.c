// SPDX-License-Identifier: MIT
/* INFO, sizes of arguments, who may call what. */
#include <stdlib.h>
#include <sys/mman.h>

#include "conform.h"

static struct aif_ioc_info info_of(struct libaif_file *f)
{
	struct aif_ioc_info info = { .size = sizeof(info) };

	OK(libaif_call(f, AIF_IOC_INFO, &info));
	return info;
}

static void test_client(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);
	struct aif_ioc_info info = { .size = sizeof(info), .depth = 16 };

	OK(libaif_call(f, AIF_IOC_INFO, &info));
	IS(info.out_role, AIF_ROLE_CLIENT);
	IS(info.depth, 16);
	TRUE(info.out_max_depth >= 16);
	TRUE(info.out_tenant_bytes && info.out_service_bytes);
	TRUE(info.out_tenant_requests && info.out_device_requests);
	IS(info.out_arrays[AIF_ARRAY_DESC].entry_size, sizeof(struct aif_desc));
	IS(info.out_arrays[AIF_ARRAY_DESC].count, 16);
	IS(info.out_arrays[AIF_ARRAY_COMPLETION].entry_size, sizeof(struct aif_completion));
	IS(info.out_arrays[AIF_ARRAY_COMPLETION].count, 16);
	IS(info.out_arrays[AIF_ARRAY_CLIENT_STATUS].entry_size, sizeof(struct aif_client_status));
	IS(info.out_arrays[AIF_ARRAY_CLIENT_STATUS].count, 1);
	IS(info.out_arrays[AIF_ARRAY_SLOT].count, 0);
	IS(info.out_arrays[AIF_ARRAY_COMMIT].count, 0);
}

static void test_default_depth(void)
{
	IS(info_of(open_node(LIBAIF_CLIENT)).depth, 256);
}

static void test_depth_stays(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);
	struct aif_ioc_info info = { .size = sizeof(info), .depth = 8 };

	OK(libaif_call(f, AIF_IOC_INFO, &info));
	IS(info_of(f).depth, 8);
	OK(libaif_call(f, AIF_IOC_INFO, &info));
	info.depth = 16;
	IS(libaif_call(f, AIF_IOC_INFO, &info), -EBUSY);
}

static void test_depth_refused(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);
	struct aif_ioc_info info = { .size = sizeof(info), .depth = 3 };

	IS(libaif_call(f, AIF_IOC_INFO, &info), -EINVAL);
	info = (struct aif_ioc_info){ .size = sizeof(info), .depth = 1u << 31 };
	IS(libaif_call(f, AIF_IOC_INFO, &info), -EINVAL);
	info = (struct aif_ioc_info){ .size = sizeof(info), .depth = 4 };
	OK(libaif_call(f, AIF_IOC_INFO, &info));
	IS(info.depth, 4);
}

static void test_unknown_features_not_granted(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);
	struct aif_ioc_info info = { .size = sizeof(info), .features = ~0ull };

	OK(libaif_call(f, AIF_IOC_INFO, &info));
	IS(info.features & ~(AIF_F_URING | AIF_F_REALTIME | AIF_F_TRANSFER | AIF_F_MEMFD | AIF_F_MAP |
			     AIF_F_IMPORT), 0);
	if (is_local())
		IS(info.features, 0);
}

static void test_serve_roles(void)
{
	struct service s;
	struct executor e;
	struct aif_ioc_info info;

	service_start(&s);
	executor_start(&e, &s, 4);
	IS(info_of(open_node(LIBAIF_SERVE)).out_role, AIF_ROLE_SERVE);
	IS(info_of(s.holder).out_role, AIF_ROLE_HOLDER);
	info = info_of(e.f);
	IS(info.out_role, AIF_ROLE_EXECUTOR);
	IS(info.out_arrays[AIF_ARRAY_SLOT].entry_size, sizeof(struct aif_slot));
	IS(info.out_arrays[AIF_ARRAY_SLOT].count, 4);
	IS(info.out_arrays[AIF_ARRAY_DELIVERY].entry_size, sizeof(struct aif_delivery));
	TRUE(info.out_arrays[AIF_ARRAY_DELIVERY].count >= 4);
	IS(info.out_arrays[AIF_ARRAY_COMMIT].entry_size, sizeof(struct aif_commit));
	TRUE(info.out_arrays[AIF_ARRAY_COMMIT].count >= 4);
	IS(info.out_arrays[AIF_ARRAY_EXECUTOR_STATUS].count, 1);
	IS(info.out_arrays[AIF_ARRAY_DESC].count, 0);
	info.depth = 4;
	IS(libaif_call(e.f, AIF_IOC_INFO, &info), -EINVAL);
}

/* Every operation, its argument's size, and the roles that may not call it. */
#define CLIENT		(1u << AIF_ROLE_CLIENT)
#define HOLDER		(1u << AIF_ROLE_HOLDER)
#define EXECUTOR	(1u << AIF_ROLE_EXECUTOR)
#define SERVE		(1u << AIF_ROLE_SERVE | HOLDER | EXECUTOR)

static const struct operation {
	const char *name;
	unsigned long command;
	uint32_t size;
	uint32_t roles;
} operations[] = {
#define OP(ioc, type, roles)	{ #ioc, ioc, sizeof(struct type), roles }
	OP(AIF_IOC_INFO, aif_ioc_info, CLIENT | SERVE),
	OP(AIF_IOC_BUFFER_ALLOC, aif_ioc_buffer_alloc, CLIENT),
	OP(AIF_IOC_BUFFER_FREE, aif_ioc_buffer_free, CLIENT),
	OP(AIF_IOC_GRANT, aif_ioc_grant, CLIENT),
	OP(AIF_IOC_REVOKE, aif_ioc_revoke, CLIENT),
	OP(AIF_IOC_DECLARE_PINS, aif_ioc_declare_pins, CLIENT | EXECUTOR),
	OP(AIF_IOC_SERVICE_CREATE, aif_ioc_service_create, SERVE),
	OP(AIF_IOC_SERVICE_LIST, aif_ioc_service_list, CLIENT | SERVE),
	OP(AIF_IOC_SERVICE_DESCRIBE, aif_ioc_service_describe, CLIENT | SERVE),
	OP(AIF_IOC_SERVICE_OPEN, aif_ioc_service_open, CLIENT),
	OP(AIF_IOC_SERVICE_DRAIN, aif_ioc_service_drain, HOLDER),
	OP(AIF_IOC_SUBMIT, aif_ioc_submit, CLIENT),
	OP(AIF_IOC_WAIT, aif_ioc_wait, CLIENT),
	OP(AIF_IOC_WAIT_QUIET, aif_ioc_wait_quiet, CLIENT),
	OP(AIF_IOC_CANCEL, aif_ioc_cancel, CLIENT),
	OP(AIF_IOC_SET_EVENTFD, aif_ioc_set_eventfd, CLIENT),
	OP(AIF_IOC_EXECUTOR_ATTACH, aif_ioc_executor_attach, SERVE),
	OP(AIF_IOC_COMMIT_FETCH, aif_ioc_commit_fetch, EXECUTOR),
	OP(AIF_IOC_PROGRESS, aif_ioc_progress, EXECUTOR),
#undef OP
};

#define OPERATION_COUNT	(sizeof(operations) / sizeof(operations[0]))

/* One file of each role. */
static struct libaif_file *files[4];

static void open_roles(void)
{
	struct client c;
	static struct service s;
	struct executor e;

	service_start(&s);
	client_start(&c, &s);
	executor_start(&e, &s, 4);
	files[AIF_ROLE_CLIENT] = c.f;
	files[AIF_ROLE_SERVE] = open_node(LIBAIF_SERVE);
	files[AIF_ROLE_HOLDER] = s.holder;
	files[AIF_ROLE_EXECUTOR] = e.f;
}

static struct libaif_file *allowed_file(const struct operation *op)
{
	unsigned int role = 0;

	while (!(op->roles & 1u << role))
		role++;
	return files[role];
}

static void test_wrong_role(void)
{
	unsigned int i, role;
	int err;

	open_roles();
	for (i = 0; i < OPERATION_COUNT; i++) {
		for (role = 0; role < 4; role++) {
			uint32_t arg[1024] = { operations[i].size };

			if (operations[i].roles & 1u << role)
				continue;
			err = libaif_call(files[role], operations[i].command, arg);
			if (err != -ENOTTY)
				FAIL("%s by role %u: %s", operations[i].name, role, strerror(-err));
		}
	}
}

static void test_unknown_operation(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);
	uint32_t arg[16] = { sizeof(arg) };

	IS(libaif_call(f, _IOWR(AIF_IOC_TYPE, 0x0f, arg), arg), -ENOTTY);
	IS(libaif_call(f, _IOWR(AIF_IOC_TYPE, 0xff, arg), arg), -ENOTTY);
	IS(libaif_call(f, _IOWR(AIF_IOC_TYPE + 1, 0x00, arg), arg), -ENOTTY);
}

static void test_size_too_small(void)
{
	unsigned int i;
	int err;

	open_roles();
	for (i = 0; i < OPERATION_COUNT; i++) {
		uint32_t arg[1024] = { operations[i].size - 1 };

		err = libaif_call(allowed_file(&operations[i]), operations[i].command, arg);
		if (err != -EINVAL)
			FAIL("%s with size - 1: %s", operations[i].name, strerror(-err));
	}
}

/* A surplus that is not zero is refused before anything is done; even the last byte. */
static void test_size_with_unknown_surplus(void)
{
	unsigned int i;
	int err;

	open_roles();
	for (i = 0; i < OPERATION_COUNT; i++) {
		unsigned char arg[2048] = { 0 };
		uint32_t size = operations[i].size + 24;

		memcpy(arg, &size, sizeof(size));
		arg[size - 1] = 1;
		err = libaif_call(allowed_file(&operations[i]), operations[i].command, arg);
		if (err != -E2BIG)
			FAIL("%s with a surplus: %s", operations[i].name, strerror(-err));
	}
}

static void test_size_with_zero_surplus(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);
	struct {
		struct aif_ioc_info info;
		uint64_t surplus[2];
		uint64_t beyond;
	} arg = { .info.size = sizeof(arg.info) + sizeof(arg.surplus), .beyond = ~0ull };

	arg.info.depth = 4;
	OK(libaif_call(f, AIF_IOC_INFO, &arg));
	IS(arg.info.depth, 4);
	IS(arg.info.size, sizeof(arg.info) + sizeof(arg.surplus));
	IS(arg.surplus[0] | arg.surplus[1], 0);
	TRUE(arg.beyond == ~0ull);
}

static void test_before_info(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);
	struct aif_ioc_submit s = { .size = sizeof(s), .count = 1 };
	struct aif_ioc_wait w = { .size = sizeof(w) };
	struct aif_ioc_wait_quiet q = { .size = sizeof(q), .tag = AIF_TAG_ALL };
	struct aif_ioc_cancel x = { .size = sizeof(x), .tag = AIF_TAG_ALL };

	IS(libaif_call(f, AIF_IOC_SUBMIT, &s), -ENXIO);
	IS(libaif_call(f, AIF_IOC_WAIT, &w), -ENXIO);
	IS(libaif_call(f, AIF_IOC_WAIT_QUIET, &q), -ENXIO);
	IS(libaif_call(f, AIF_IOC_CANCEL, &x), -ENXIO);
	TRUE(!libaif_map(f, 0, 4096, PROT_READ));
	IS(errno, ENXIO);
}

static int map_error(struct libaif_file *f, uint64_t offset, size_t length, int prot)
{
	return libaif_map(f, offset, length, prot) ? 0 : errno;
}

static void test_mapping_refused(void)
{
	struct client c;
	uint64_t completions;

	client_open(&c, 4);
	completions = c.info.out_arrays[AIF_ARRAY_COMPLETION].offset;
	IS(map_error(c.f, completions, 4096, PROT_READ | PROT_WRITE), EACCES);
	IS(map_error(c.f, completions, 1 << 20, PROT_READ), EINVAL);
	IS(map_error(c.f, completions, 4096, PROT_READ | PROT_EXEC), EACCES);
	IS(map_error(c.f, 99ull << 32, 4096, PROT_READ), ENOENT);
	IS(map_error(open_node(LIBAIF_SERVE), 0, 4096, PROT_READ), ENXIO);
}

const struct test info_tests[] = {
	{ "a client's arrays and limits", test_client },
	{ "256 tags by default", test_default_depth },
	{ "depth is fixed by the first call", test_depth_stays },
	{ "a depth out of range is refused, and nothing fixed", test_depth_refused },
	{ "unknown features are not granted", test_unknown_features_not_granted },
	{ "roles of serving files", test_serve_roles },
	{ "ENOTTY: an operation of another role", test_wrong_role },
	{ "ENOTTY: an unknown operation", test_unknown_operation },
	{ "EINVAL: a size under the first published", test_size_too_small },
	{ "E2BIG: a surplus that is not zero", test_size_with_unknown_surplus },
	{ "a zero surplus is taken and left alone", test_size_with_zero_surplus },
	{ "ENXIO: before INFO", test_before_info },
	{ "mappings that are refused", test_mapping_refused },
	{ 0 },
};
