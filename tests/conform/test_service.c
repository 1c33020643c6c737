// SPDX-License-Identifier: MIT
/* Services: creating, listing, describing, opening, draining; attaching. */
#include <stdlib.h>
#include <unistd.h>

#include "conform.h"

static int try_create(const struct service *s)
{
	struct aif_ioc_service_create arg = s->arg;

	return libaif_call(open_node(LIBAIF_SERVE), AIF_IOC_SERVICE_CREATE, &arg);
}

static void test_create_refused(void)
{
	struct service good, s;

	service_init(&good);
#define REFUSED(change)						\
	do {							\
		s = good;					\
		change;						\
		IS(try_create(&s), -EINVAL);			\
	} while (0)
	REFUSED(s.arg.desc.name[0] = '\0');
	REFUSED(s.arg.desc.name[0] = '/');
	REFUSED(memset(s.arg.desc.name, 'a', AIF_NAME_MAX));
	REFUSED(s.arg.desc.device[0] = '\0');
	REFUSED(s.arg.desc.model[0] = '\n');
	REFUSED(s.arg.desc.step_tokens = 0);
	REFUSED(s.arg.desc.step_tokens = 65);
	REFUSED(s.arg.desc.max_attempts = 17);
	REFUSED(s.arg.desc.longest_step_ms = 3600001);
	REFUSED(s.arg.desc.progress_ms = 3600001);
	REFUSED(s.arg.desc.recovery_ms = 3600001);
	REFUSED(s.arg.desc.__reserved = 1);
	REFUSED(s.arg.desc.io_count = 0);
	REFUSED(s.arg.desc.io_count = 4);
	REFUSED(s.arg.desc.io_count = 1);		/* no output */
	REFUSED(s.arg.desc.io[0].name[0] = '\0');
	REFUSED(s.arg.desc.io[0].kind = 3);
	REFUSED(s.arg.desc.io[1].dtype = 0);
	REFUSED(s.arg.desc.io[1].dtype = 9);
	REFUSED(s.arg.desc.io[0].dtype = AIF_DTYPE_F32);	/* utf8 is u8 */
	REFUSED(s.arg.desc.io[0].flags = AIF_IO_F_OUTPUT; s.arg.desc.io[1].flags = 0);
	REFUSED(s.arg.desc.io[0].flags = AIF_IO_F_OPTIONAL);
	REFUSED(s.arg.desc.io[1].flags = 4);
	REFUSED(s.arg.desc.io[1].dims = 5);
	REFUSED(s.arg.desc.io[1].shape[0] = 0);
	REFUSED(s.arg.desc.io[1].shape[0] = -2);
	REFUSED(s.arg.desc.io[1].shape[1] = 1);		/* not a used entry */
	REFUSED(s.arg.desc.io[1].alignment = 48);
	REFUSED(s.arg.desc.io[1].alignment = 8192);
	REFUSED(s.arg.desc.io[1].max_bytes = 0);
	REFUSED(s.arg.desc.io[1].__reserved = 1);
	REFUSED(s.arg.desc.io[2].dims = 1);		/* not a used io */
	REFUSED(s.arg.text_length = AIF_TEXT_MAX + 1);
	REFUSED(s.arg.text = (uintptr_t)"a\0b"; s.arg.text_length = 3);
	REFUSED(s.arg.__reserved = 1);
#undef REFUSED
	OK(try_create(&good));
}

static void test_create_twice(void)
{
	struct aif_ioc_executor_attach attach = { .size = sizeof(attach), .slots = 1 };
	struct service s, other;

	service_start(&s);
	IS(try_create(&s), -EEXIST);
	service_init(&other);
	IS(libaif_call(s.holder, AIF_IOC_SERVICE_CREATE, &other.arg), -EBUSY);
	attach.service = s.id;
	attach.holder_fd = s.holder->fd;
	IS(libaif_call(s.holder, AIF_IOC_EXECUTOR_ATTACH, &attach), -EBUSY);
	close_node(s.holder);
	service_create(&s);	/* the name is free again */
}

static unsigned int list(struct libaif_file *f, uint32_t *ids, uint32_t capacity)
{
	struct aif_ioc_service_list arg = {
		.size = sizeof(arg), .capacity = capacity, .ids = (uintptr_t)ids,
	};

	OK(libaif_call(f, AIF_IOC_SERVICE_LIST, &arg));
	return arg.out_count;
}

static void test_list(void)
{
	struct libaif_file *f = open_node(LIBAIF_CLIENT);
	uint32_t ids[64] = { 0 }, i;
	struct service a, b;
	unsigned int n;

	n = list(f, ids, 64);
	TRUE(n < 60);
	service_start(&a);
	service_start(&b);
	IS(list(f, NULL, 0), n + 2);
	IS(list(a.holder, ids, 64), n + 2);
	for (i = 1; i < n + 2; i++)
		TRUE(ids[i] > ids[i - 1]);
	IS(ids[n], a.id);
	IS(ids[n + 1], b.id);
	ids[0] = ids[1] = 0;
	IS(list(f, ids, 1), n + 2);
	TRUE(ids[0] && !ids[1]);
}

static void test_max_services(void)
{
	struct service a, b;

	service_init(&a);
	service_init(&b);
	limit("max_services", list(open_node(LIBAIF_CLIENT), NULL, 0) + 1);
	service_create(&a);
	IS(try_create(&b), -ENOSPC);
}

static int describe(struct libaif_file *f, uint32_t id, struct aif_ioc_service_describe *d,
		    char *text, uint32_t capacity)
{
	*d = (struct aif_ioc_service_describe){
		.size = sizeof(*d), .id = id, .text = (uintptr_t)text, .text_capacity = capacity,
	};
	return libaif_call(f, AIF_IOC_SERVICE_DESCRIBE, d);
}

static void test_describe(void)
{
	static const char words[] = "license=MIT\ntokens=256\n";
	struct aif_ioc_service_describe d;
	char text[64] = { 0 };
	struct service s;
	struct client c;
	struct executor e;

	service_init(&s);
	s.arg.text = (uintptr_t)words;
	s.arg.text_length = sizeof(words) - 1;
	memset(s.arg.desc.digest, 0xab, AIF_DIGEST_SIZE);
	service_create(&s);
	client_start(&c, &s);
	executor_start(&e, &s, 1);
	submit(&c, 0, 1);
	submit(&c, 1, 1);
	fetch_exactly(&e, 1);
	OK(describe(c.f, s.id, &d, text, sizeof(text)));
	IS(strcmp(text, words), 0);
	IS(d.out_text_length, sizeof(words) - 1);
	IS(d.out_owner, geteuid());
	IS(d.out_executors, 1);
	IS(d.out_queued, 1);
	IS(d.out_fetched, 1);
	IS(d.out_draining, 0);
	IS(d.out_grants, 1);
	IS(d.out_granted_bytes, CLIENT_BYTES);
	IS(d.out_answered, 0);
	IS(d.out_device_ns, 0);
	IS(strcmp(d.out_desc.name, s.arg.desc.name), 0);
	IS(d.out_desc.digest[31], 0xab);
	IS(commit(&e, &e.requests[0], 0, 0), 0);
	memset(text, 'x', sizeof(text));
	OK(describe(e.f, s.id, &d, text, 7));
	IS(memcmp(text, "licensexxx", 10), 0);
	IS(d.out_answered, 1);
	IS(d.out_fetched, 0);
	IS(d.out_device_ns, c.done[0].device_ns);
	IS(describe(c.f, s.id + 1000, &d, NULL, 0), -ENOENT);
}

static void test_defaults(void)
{
	struct aif_ioc_service_describe d;
	struct service s;

	service_start(&s);
	OK(describe(s.holder, s.id, &d, NULL, 0));
	IS(d.out_desc.max_attempts, 2);
	IS(d.out_desc.longest_step_ms, 1000);
	IS(d.out_desc.progress_ms, 10000);
	IS(d.out_desc.recovery_ms, 1000);
	IS(d.out_desc.io[0].alignment, AIF_ALIGNMENT_DEFAULT);
	IS(d.out_text_length, 0);
}

static int open_service(struct client *c, const char *name, uint32_t owner, uint32_t *handle)
{
	struct aif_ioc_service_open arg = { .size = sizeof(arg), .owner = owner };
	int err;

	memcpy(arg.name, name, strnlen(name, sizeof(arg.name)));
	err = libaif_call(c->f, AIF_IOC_SERVICE_OPEN, &arg);
	if (handle)
		*handle = arg.out_handle;
	return err;
}

static void test_open(void)
{
	char endless[AIF_NAME_MAX + 1] = { 0 };
	struct service s;
	struct client c;
	uint32_t a, b;

	service_start(&s);
	client_open(&c, 4);
	OK(open_service(&c, s.arg.desc.name, geteuid(), &a));
	OK(open_service(&c, s.arg.desc.name, geteuid(), &b));
	TRUE(a && a == b);
	IS(open_service(&c, s.arg.desc.name, geteuid() + 1, NULL), -ENOENT);
	IS(open_service(&c, "nobody", geteuid(), NULL), -ENOENT);
	memset(endless, 'a', AIF_NAME_MAX);
	IS(open_service(&c, endless, geteuid(), NULL), -EINVAL);
	close_node(s.holder);
	IS(open_service(&c, s.arg.desc.name, geteuid(), NULL), -ENOENT);
}

static void test_attach_refused(void)
{
	struct aif_ioc_executor_attach arg;
	struct executor e;
	struct service s, other;
	struct client c;

	service_start(&s);
	service_start(&other);
	client_open(&c, 4);
	IS(executor_try_attach(&e, &s, 0, s.holder->fd), -EINVAL);
	IS(executor_try_attach(&e, &s, 1025, s.holder->fd), -EINVAL);
	IS(executor_try_attach(&e, &s, 1, -2), -EINVAL);
	IS(executor_try_attach(&e, &s, 1, 1023), -EBADF);
	IS(executor_try_attach(&e, &s, 1, c.f->fd), -EBADF);
	IS(executor_try_attach(&e, &s, 1, other.holder->fd), -EACCES);
	IS(executor_try_attach(&e, &(struct service){ .id = s.id + 1000 }, 1, -1), -ENOENT);
	arg = (struct aif_ioc_executor_attach){
		.size = sizeof(arg), .service = s.id, .holder_fd = -1, .slots = 1, .flags = 1,
	};
	IS(libaif_call(e.f, AIF_IOC_EXECUTOR_ATTACH, &arg), -EINVAL);
	OK(executor_try_attach(&e, &s, 1024, -1));	/* the owner needs no holder's file */
	arg.flags = 0;
	IS(libaif_call(e.f, AIF_IOC_EXECUTOR_ATTACH, &arg), -EBUSY);
}

static void test_drain(void)
{
	struct aif_ioc_service_drain arg = { .size = sizeof(arg), .__reserved = 1 };
	struct aif_ioc_service_describe info;
	struct aif_desc d;
	struct service s;
	struct client c;
	struct executor e;

	service_start(&s);
	client_start(&c, &s);
	executor_start(&e, &s, 4);
	submit(&c, 0, 1);
	IS(libaif_call(s.holder, AIF_IOC_SERVICE_DRAIN, &arg), -EINVAL);
	arg.__reserved = 0;
	OK(libaif_call(s.holder, AIF_IOC_SERVICE_DRAIN, &arg));
	OK(describe(c.f, s.id, &info, NULL, 0));
	IS(info.out_draining, 1);
	d = desc_of(&c, 1, 1);
	IS(submit_desc(&c, &d, 0), -ESHUTDOWN);
	fetch_exactly(&e, 1);			/* what was queued is still delivered */
	IS(fetch(&e, 4), -EAGAIN);		/* and not all is done */
	IS(commit(&e, &e.requests[0], 5, 0), 0);
	IS(c.done[0].result, 5);
	IS(fetch(&e, 4), -ESHUTDOWN);
	IS(fetch_wait(&e, 4), -ESHUTDOWN);
}

static void *waiting_fetch(void *e)
{
	return (void *)(intptr_t)fetch_wait(e, 1);
}

/* The FETCH that waits is told. */
static void test_drain_wakes(void)
{
	struct aif_ioc_service_drain arg = { .size = sizeof(arg) };
	struct service s;
	struct executor e;
	pthread_t thread;
	void *result;

	service_start(&s);
	executor_start(&e, &s, 4);
	OK(pthread_create(&thread, NULL, waiting_fetch, &e));
	OK(libaif_call(s.holder, AIF_IOC_SERVICE_DRAIN, &arg));
	OK(pthread_join(thread, &result));
	IS((intptr_t)result, -ESHUTDOWN);
}

static void test_gone(void)
{
	struct aif_desc d;
	struct service s;
	struct client c;
	struct executor e;

	service_start(&s);
	client_start(&c, &s);
	executor_start(&e, &s, 4);
	submit(&c, 0, 1);
	fetch_exactly(&e, 1);
	submit(&c, 1, 1);
	close_node(s.holder);
	IS(c.done[1].result, -ENODEV);
	IS(state_of(&c, 1), AIF_STATE_DONE);
	d = desc_of(&c, 2, 1);
	IS(submit_desc(&c, &d, 0), -ENODEV);
	IS(fetch(&e, 4), -ENODEV);
	IS(state_of(&c, 0), AIF_STATE_FETCHED);
	IS(commit(&e, &e.requests[0], 3, 0), 0);	/* it may finish what it has */
	IS(c.done[0].result, 3);
}

static void test_gone_wakes(void)
{
	struct service s;
	struct executor e;
	pthread_t thread;
	void *result;

	service_start(&s);
	executor_start(&e, &s, 4);
	OK(pthread_create(&thread, NULL, waiting_fetch, &e));
	close_node(s.holder);
	OK(pthread_join(thread, &result));
	IS((intptr_t)result, -ENODEV);
}

const struct test service_tests[] = {
	{ "EINVAL: descriptions that do not hold", test_create_refused },
	{ "EEXIST: the name is taken; EBUSY: the file has a role", test_create_twice },
	{ "a list, ascending, cut to its capacity", test_list },
	{ "ENOSPC: too many services", test_max_services },
	{ "a description, its counts and its text", test_describe },
	{ "defaults stand where zeros were", test_defaults },
	{ "opened by name and owner", test_open },
	{ "executors that are refused", test_attach_refused },
	{ "drained: no more in, all out, then ESHUTDOWN", test_drain },
	{ "draining wakes the FETCH that waits", test_drain_wakes },
	{ "ENODEV: the service is gone", test_gone },
	{ "its end wakes the FETCH that waits", test_gone_wakes },
	{ 0 },
};
