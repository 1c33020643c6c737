// SPDX-License-Identifier: MIT
/* Services and clients for the tests. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conform.h"

/* ---- services ---- */

/* Names are this process's own: an earlier test's may not be gone yet. */
static void unique_name(char *name, const char *prefix)
{
	static unsigned int serial;

	snprintf(name, AIF_NAME_MAX, "%s-%d-%u", prefix, getpid(), serial++);
}

void service_init(struct service *s)
{
	struct aif_service_desc *d = &s->arg.desc;

	*s = (struct service){ .arg.size = sizeof(s->arg) };
	unique_name(d->name, "service");
	unique_name(d->device, "device");
	strcpy(d->model, "model");
	d->step_tokens = 1;
	d->io_count = 2;
	d->io[0] = (struct aif_io){
		.name = "in", .kind = AIF_IO_UTF8, .dtype = AIF_DTYPE_U8, .dims = 1,
		.shape = { -1 }, .max_bytes = PIECE,
	};
	d->io[1] = (struct aif_io){
		.name = "out", .kind = AIF_IO_TENSOR, .dtype = AIF_DTYPE_U8,
		.flags = AIF_IO_F_OUTPUT, .dims = 1, .shape = { -1 }, .max_bytes = PIECE,
	};
}

void service_create(struct service *s)
{
	s->holder = open_node(LIBAIF_SERVE);
	OK(libaif_call(s->holder, AIF_IOC_SERVICE_CREATE, &s->arg));
	s->id = s->arg.out_id;
}

void service_start(struct service *s)
{
	service_init(s);
	service_create(s);
}

/* ---- clients ---- */

static void *map_array(struct client *c, enum aif_array_kind kind, int prot)
{
	const struct aif_array *a = &c->info.out_arrays[kind];

	return map_node(c->f, a->offset, (size_t)a->entry_size * a->count, prot);
}

void client_open_as(struct client *c, unsigned int depth, unsigned int tenant)
{
	*c = (struct client){ .f = open_as_tenant(tenant) };
	c->info = (struct aif_ioc_info){ .size = sizeof(c->info), .depth = depth };
	OK(libaif_call(c->f, AIF_IOC_INFO, &c->info));
	c->descs = map_array(c, AIF_ARRAY_DESC, PROT_READ | PROT_WRITE);
	c->done = map_array(c, AIF_ARRAY_COMPLETION, PROT_READ);
	c->status = map_array(c, AIF_ARRAY_CLIENT_STATUS, PROT_READ);
}

void client_open(struct client *c, unsigned int depth)
{
	client_open_as(c, depth, 0);
}

void client_use(struct client *c, const struct service *s)
{
	struct aif_ioc_service_open open = { .size = sizeof(open), .owner = geteuid() };
	struct aif_ioc_buffer_alloc alloc = { .size = sizeof(alloc), .bytes = CLIENT_BYTES };
	struct aif_ioc_grant grant = { .size = sizeof(grant), .flags = AIF_GRANT_F_WRITE };

	strcpy(open.name, s->arg.desc.name);
	OK(libaif_call(c->f, AIF_IOC_SERVICE_OPEN, &open));
	OK(libaif_call(c->f, AIF_IOC_BUFFER_ALLOC, &alloc));
	grant.buffer = alloc.out_handle;
	grant.service = open.out_handle;
	OK(libaif_call(c->f, AIF_IOC_GRANT, &grant));
	c->service = open.out_handle;
	c->buffer = alloc.out_handle;
	c->grant = grant.out_grant;
	c->size = alloc.out_bytes;
	c->data = map_node(c->f, alloc.out_offset, c->size, PROT_READ | PROT_WRITE);
}

void client_start(struct client *c, const struct service *s)
{
	client_open(c, CLIENT_DEPTH);
	client_use(c, s);
}

/* More tags than pieces share them: such tests do not look at the data. */
static uint32_t place_of(const struct client *c, uint32_t tag)
{
	return (uint32_t)(tag * 2 * PIECE % c->size);
}

unsigned char *input_of(const struct client *c, uint32_t tag)
{
	return c->data + place_of(c, tag);
}

unsigned char *output_of(const struct client *c, uint32_t tag)
{
	return input_of(c, tag) + PIECE;
}

struct aif_desc desc_of(const struct client *c, uint32_t tag, uint32_t generation)
{
	return (struct aif_desc){
		.tag = tag, .generation = generation, .service = c->service,
		.sched_class = AIF_CLASS_NORMAL, .range_count = 2,
		.ranges = {
			{ .grant = c->grant, .offset = place_of(c, tag), .length = 8 },
			{ .grant = c->grant, .offset = place_of(c, tag) + PIECE, .length = PIECE },
		},
	};
}

int submit_ring(struct client *c, uint32_t first, uint32_t count, uint32_t flags,
		uint32_t *accepted)
{
	struct aif_ioc_submit arg = {
		.size = sizeof(arg), .flags = flags, .first = first, .count = count,
	};
	int err = libaif_call(c->f, AIF_IOC_SUBMIT, &arg);

	if (accepted)
		*accepted = arg.out_accepted;
	return err;
}

int submit_desc(struct client *c, const struct aif_desc *d, uint32_t flags)
{
	c->descs[0] = *d;
	return submit_ring(c, 0, 1, flags, NULL);
}

void submit(struct client *c, uint32_t tag, uint32_t generation)
{
	struct aif_desc d = desc_of(c, tag, generation);

	OK(submit_desc(c, &d, 0));
}

uint32_t state_of(const struct client *c, uint32_t tag)
{
	uint64_t word = __atomic_load_n((const uint64_t *)&c->done[tag], __ATOMIC_ACQUIRE);

	return (uint32_t)(word >> 32);
}

int wait_answer(struct client *c, uint32_t tag, int64_t timeout_ns)
{
	struct aif_ioc_wait arg = {
		.size = sizeof(arg), .flags = AIF_WAIT_F_PRODUCED, .tag = tag,
		.value = UINT64_MAX, .timeout_ns = timeout_ns,
	};

	return libaif_call(c->f, AIF_IOC_WAIT, &arg);
}

int wait_quiet(struct client *c, uint32_t tag, int64_t timeout_ns)
{
	struct aif_ioc_wait_quiet arg = {
		.size = sizeof(arg), .tag = tag, .timeout_ns = timeout_ns,
	};

	return libaif_call(c->f, AIF_IOC_WAIT_QUIET, &arg);
}

int cancel(struct client *c, uint32_t tag, uint32_t generation)
{
	struct aif_ioc_cancel arg = {
		.size = sizeof(arg), .tag = tag, .generation = generation,
	};

	return libaif_call(c->f, AIF_IOC_CANCEL, &arg);
}
