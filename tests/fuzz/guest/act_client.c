// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "act.h"

/* ---- clients: buffers and grants ---- */

bool open_service(struct w_fd *fd, const char *name, uid_t owner)
{
	struct aif_ioc_service_open arg = { .owner = owner };
	struct w_service *s = service_named(name, owner);
	struct w_client *c = fd->file->client;
	uint32_t i, known = c->open_count;
	int want = 0;

	strcpy(arg.name, name);
	for (i = 0; i < c->open_count; i++)
		if (c->opens[i].service == s)
			known = i;
	if (!s)
		want = -ENOENT;
	else if (!c->depth)
		want = -ENXIO;
	else if (known == c->open_count && c->open_count >= w.limits.max_services)
		want = -ENOSPC;
	say_fd(fd, "opens a service by");
	say(" %s of %u", name, owner);
	if (!call(fd, AIF_IOC_SERVICE_OPEN, &arg, want))
		return true;
	if (arg.out_id != s->id || !arg.out_handle)
		fail("handle %u id %u, expected id %u", arg.out_handle, arg.out_id, s->id);
	if (known < c->open_count ? arg.out_handle != c->opens[known].handle :
				    client_open_of(c, arg.out_handle) != NULL)
		fail("handle %u is another's", arg.out_handle);
	if (known == c->open_count)
		c->opens[c->open_count++] = (struct w_open){ s, arg.out_handle };
	return true;
}

static bool op_open_service(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_service *s = pick_service();
	char name[8];

	if (!fd || fd->file->client->open_count == MAX_OPENS)
		return false;
	if (s && !one_in(6))
		return open_service(fd, s->desc.name, s->owner);
	snprintf(name, sizeof(name), "s%u", pick(6));
	return open_service(fd, name, one_in(2) ? RAW_EXECUTOR_UID : RAW_CLIENT_UID);
}

static int predict_alloc(const struct w_client *c, uint64_t bytes)
{
	uint64_t whole = (bytes + PAGE - 1) / PAGE * PAGE;

	if (!bytes || bytes > (1ull << 32) - PAGE)
		return -EINVAL;
	if (tenant_bytes(c->tenant) + whole > tenant_of(c->tenant)->limits.alloc_bytes)
		return -EDQUOT;
	return client_buffers(c) >= w.limits.max_buffers ? -ENOSPC : 0;
}

bool alloc(struct w_fd *fd, uint64_t bytes)
{
	struct aif_ioc_buffer_alloc arg = { .bytes = bytes };
	struct w_client *c = fd->file->client;
	uint32_t pages = (uint32_t)((bytes + PAGE - 1) / PAGE);

	say_fd(fd, "allocates by");
	say(" %llu bytes", (unsigned long long)bytes);
	if (!call(fd, AIF_IOC_BUFFER_ALLOC, &arg, predict_alloc(c, bytes)))
		return true;
	if (!arg.out_handle || buffer_find(c, arg.out_handle) || arg.out_bytes != pages * PAGE ||
	    arg.out_offset != (uint64_t)arg.out_handle << 32)
		fail("handle %u, %llu bytes at %llx", arg.out_handle, arg.out_bytes,
		     arg.out_offset);
	w.buffers[w.buffer_count++] = (struct w_buffer){
		.client = c, .handle = arg.out_handle, .pages = pages, .rights = AIF_RIGHT_ALL,
	};
	say(" (buffer %u)", arg.out_handle);
	return true;
}

static bool op_alloc(void)
{
	static const uint64_t odd[] = { 0, 1ull << 32, UINT64_MAX, 1ull << 30 };
	struct w_fd *fd = pick_fd(CLIENTS);

	if (!fd)
		return false;
	if (one_in(10))
		return alloc(fd, odd[pick(4)]);
	return alloc(fd, 1 + pick(BUFFER_PAGES * PAGE));
}

/* A handle of this client's now and then; of another's, or none's. */
uint32_t some_buffer(struct w_client *c)
{
	struct w_buffer *b = one_in(8) ? PICK(b, buffer, true) :
					 PICK(b, buffer, b->client == c && !b->freed);

	return b ? b->handle : pick(4);
}

static bool op_free(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_buffer_free arg;
	struct w_buffer *b;

	if (!fd)
		return false;
	arg.handle = some_buffer(c);
	b = buffer_find(c, arg.handle);
	say_fd(fd, "frees by");
	say(" buffer %u", arg.handle);
	if (call(fd, AIF_IOC_BUFFER_FREE, &arg, !b ? -ENOENT : buffer_granted(b) ? -EBUSY : 0)) {
		b->freed = true;
		b->declared = 0;
	}
	return true;
}

/* Of it all, and of anything; now and then 0, or one that there is not. */
static uint32_t some_rights(void)
{
	return one_in(3) ? AIF_RIGHT_ALL : one_in(8) ? pick(2) * (AIF_RIGHT_ALL + 1) :
						       1 + pick(AIF_RIGHT_ALL);
}

static int predict_accept(const struct w_client *c, uint32_t shared, uint32_t asked)
{
	if (asked & ~AIF_RIGHT_ALL)
		return -EINVAL;
	if (asked & ~shared)
		return -EACCES;
	return client_buffers(c) >= w.limits.max_buffers ? -ENOSPC : 0;
}

/* @n is the fd in @to's process. */
static void accept_shared(struct w_fd *to, long n, struct w_buffer *b, uint32_t shared)
{
	struct aif_ioc_buffer_accept arg = { .fd = (int)n, .rights = one_in(2) ? 0 : some_rights() };
	struct w_client *c = to->file->client;
	uint32_t asked = arg.rights;

	say_fd(to, ", accepted by");
	say(" with %x", asked);
	if (!call(to, AIF_IOC_BUFFER_ACCEPT, &arg, predict_accept(c, shared, asked)))
		return;
	if (!arg.out_handle || buffer_find(c, arg.out_handle) || arg.out_bytes != b->pages * PAGE ||
	    arg.out_rights != (asked ? asked : shared) ||
	    arg.out_offset != (b->pinned ? 0 : (uint64_t)arg.out_handle << 32))
		fail("handle %u, %llu bytes at %llx, rights %x", arg.out_handle, arg.out_bytes,
		     arg.out_offset, arg.out_rights);
	say(" (buffer %u)", arg.out_handle);
	w.buffers[w.buffer_count++] = (struct w_buffer){
		.client = c, .of = memory_of(b), .handle = arg.out_handle, .pages = b->pages,
		.pinned = b->pinned, .rights = arg.out_rights,
	};
}

static int predict_share(const struct w_buffer *b, uint32_t rights)
{
	if (rights & ~AIF_RIGHT_ALL)
		return -EINVAL;
	if (!b)
		return -ENOENT;
	return rights & ~b->rights ? -EACCES : 0;
}

/* The file lives as long as this operation. */
static bool op_share(void)
{
	struct w_fd *fd = pick_fd(CLIENTS), *to = pick_fd(CLIENTS);
	struct aif_ioc_buffer_share arg = { .size = sizeof(arg), .rights = some_rights() };
	struct w_buffer *b;
	long ret, n;

	if (!fd)
		return false;
	arg.handle = some_buffer(fd->file->client);
	b = buffer_find(fd->file->client, arg.handle);
	say_fd(fd, "shares by");
	say(" buffer %u rights %x", arg.handle, arg.rights);
	ret = actor_call(&fd->actor->at, fd->fd, AIF_IOC_BUFFER_SHARE, &arg, sizeof(arg),
			 PLACE_DESK);
	must_be(ret < 0 ? ret : 0, predict_share(b, arg.rights));
	if (ret < 0)
		return true;
	n = actor_send(&fd->actor->at, (int)ret, &to->actor->at);
	must_be(n < 0 ? n : 0, 0);
	must_be(actor_close(&fd->actor->at, (int)ret), 0);
	accept_shared(to, n, b, arg.rights ? arg.rights : b->rights);
	must_be(actor_close(&to->actor->at, (int)n), 0);
	return true;
}

static int predict_grant(const struct w_client *c, const struct w_buffer *b,
			 const struct w_service *s, bool writable)
{
	uint32_t need = AIF_RIGHT_READ | AIF_RIGHT_MAP | (writable ? AIF_RIGHT_WRITE : 0);

	if (b && b->pinned)
		return -EINVAL;
	if (b && need & ~b->rights)
		return -EACCES;
	if (!b || !s)
		return -ENOENT;
	if (client_grants(c) >= w.limits.max_grants)
		return -ENOSPC;
	if (service_bytes(s) + b->pages * PAGE > w.limits.service_bytes)
		return -EDQUOT;
	return s->gone ? -ENODEV : 0;
}

bool grant(struct w_fd *fd, uint32_t buffer, uint32_t service, bool writable)
{
	struct aif_ioc_grant arg = {
		.buffer = buffer, .service = service, .flags = writable ? AIF_GRANT_F_WRITE : 0,
	};
	struct w_client *c = fd->file->client;
	struct w_buffer *b = buffer_find(c, buffer);
	struct w_service *s = client_open_of(c, service);

	say_fd(fd, "grants by");
	say(" buffer %u to %u%s", buffer, service, writable ? ", writable" : "");
	if (!call(fd, AIF_IOC_GRANT, &arg, predict_grant(c, b, s, writable)))
		return true;
	if (!arg.out_grant || grant_find(c, arg.out_grant))
		fail("grant %u is taken", arg.out_grant);
	say(" (grant %u)", arg.out_grant);
	grant_new(b, s, arg.out_grant, writable);
	return true;
}

/* Handles of services: any, and one where requests can get on if there is one. */
static uint32_t some_open(const struct w_client *c)
{
	return c->open_count && !one_in(8) ? c->opens[pick(c->open_count)].handle : pick(6);
}

static uint32_t good_open(const struct w_client *c)
{
	uint32_t i, seen = 0, handle = 0;

	for (i = 0; i < c->open_count; i++)
		if (!c->opens[i].service->gone && !c->opens[i].service->draining && one_in(++seen))
			handle = c->opens[i].handle;
	return handle && !one_in(12) ? handle : some_open(c);
}

static bool op_grant(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);

	return fd && grant(fd, some_buffer(fd->file->client), good_open(fd->file->client),
			   !one_in(4));
}

/* What executors see through it: of the first page that each has mapped. */
static void look_through(const struct w_grant *g)
{
	struct w_map *m;

	for EACH(m, map)
		if (m->view && m->view->grant == g && idle(m->actor) && m->readable)
			check_page(m, 0);
}

static bool op_revoke(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_revoke arg;
	struct w_grant *g;

	if (!fd)
		return false;
	g = one_in(6) ? PICK(g, grant, true) : PICK(g, grant, g->client == c && !g->revoked);
	arg.grant = g ? g->handle : pick(4);
	g = grant_find(c, arg.grant);
	say_fd(fd, "revokes by");
	say(" grant %u", arg.grant);
	if (g)
		look_through(g);
	if (!call(fd, AIF_IOC_REVOKE, &arg, g ? 0 : -ENOENT))
		return true;
	grant_revoke(g);
	look_through(g);
	return true;
}

/* ---- clients: requests ---- */

static struct aif_range some_range(struct w_client *c, struct w_service *s, bool output)
{
	struct w_grant *g = PICK(g, grant, g->client == c && !g->revoked && g->service == s &&
				 (g->writable || !output || one_in(8)));
	struct aif_range r = { .grant = g ? g->handle : pick(5) };
	uint32_t bytes = g ? g->buffer->pages * PAGE : PAGE;

	r.offset = pick(bytes / 64) * 64;
	r.length = pick(bytes - r.offset < 2 * PAGE ? bytes - r.offset + 1 : 2 * PAGE);
	return r;
}

static void make_inline(struct aif_desc *d, const struct aif_range *output)
{
	uint32_t i;

	d->inline_length = (uint8_t)(1 + pick(AIF_INLINE_MAX));
	d->range_count = 1;
	d->range = *output;
	memset(d->input, 0, sizeof(d->input));
	for (i = 0; i < d->inline_length; i++)
		d->input[i] = (uint8_t)next_random();
}

/* Most often one that has a grant to write to. */
static uint32_t service_to_ask(struct w_client *c)
{
	const struct w_grant *g = PICK(g, grant, g->client == c && !g->revoked && g->writable &&
				       !g->service->gone && !g->service->draining);
	uint32_t i;

	for (i = 0; g && !one_in(12) && i < c->open_count; i++)
		if (c->opens[i].service == g->service)
			return c->opens[i].handle;
	return good_open(c);
}

static struct aif_desc some_desc(struct w_client *c)
{
	struct aif_desc d = {
		.tag = pick(c->depth), .generation = ++c->generation,
		.service = service_to_ask(c), .range_count = 2,
		.sched_class = (uint8_t)(one_in(3) ? AIF_CLASS_IDLE : AIF_CLASS_NORMAL),
		.flags = (uint8_t)pick(2),
	};
	struct w_service *s = client_open_of(c, d.service);
	struct aif_range output = some_range(c, s, true);

	if (one_in(3))
		d.deadline = raw_now() + (uint64_t)(3600 + pick(3600)) * 1000000000;
	d.ranges[0] = some_range(c, s, false);
	d.ranges[1] = output;
	if (one_in(4))
		make_inline(&d, &output);
	return d;
}

static void spoil_desc(struct w_client *c, struct aif_desc *d)
{
	uint32_t i = pick(d->range_count);

	switch (pick(14)) {
	case 0:
		d->tag = c->depth + pick(1u << 30);
		break;
	case 1:
		d->generation = c->tags[d->tag].desc.generation;
		break;
	case 2:
		d->service = (uint32_t)next_random();
		break;
	case 3:
		d->sched_class = one_in(2) ? AIF_CLASS_REALTIME : (uint8_t)pick(256);
		break;
	case 4:
		d->flags |= (uint8_t)(1u << (1 + pick(7)));
		break;
	case 5:
		d->range_count = (uint8_t)pick(256);
		break;
	case 6:
		d->inline_length = (uint8_t)next_random();
		break;
	case 7:
		d->in_fence = 1 + (uint32_t)pick(100);
		break;
	case 8:
		d->deadline = 1 + pick(1u << 30);
		break;
	case 9:
		d->ranges[i].offset = (uint32_t)next_random();
		break;
	case 10:
		d->ranges[i].length = (uint32_t)next_random();
		break;
	case 11:
		d->ranges[i].grant = one_in(2) ? (uint32_t)next_random() : pick(8);
		break;
	case 12:
		d->input[pick(AIF_INLINE_MAX)] ^= (uint8_t)(1u << pick(8));
		break;
	default:	/* overflows when added up in 32 bits */
		d->ranges[i].offset = UINT32_MAX & ~63u;
		d->ranges[i].length = 64 + pick(64);
	}
}

static void write_desc(struct w_client *c, uint32_t position, const struct aif_desc *d)
{
	const struct w_map *m = map_of_array(c->file, AIF_ARRAY_DESC);
	uint64_t at = m->at + position % c->depth * sizeof(*d);

	if (actor_write(&m->actor->at, at, d, sizeof(*d)) != sizeof(*d))
		fail("the descriptor ring cannot be written");
}

/* Which of those that now stand in the ring are taken: how many, and what stops. */
static uint32_t take(struct w_client *c, const struct aif_desc *d, uint32_t n,
		       struct w_wait *batch, int *stopped)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		*stopped = submit_predict(c, &d[i], raw_now());
		say(" {tag %u gen %u%s%s}", d[i].tag, d[i].generation, *stopped ? " " : "",
		    *stopped ? result_name(*stopped) : "");
		if (*stopped)
			break;
		submit_accept(c, &d[i]);
		batch->tags[i] = d[i].tag;
		batch->generations[i] = d[i].generation;
	}
	return i;
}

static void submit_now(struct w_fd *fd, uint32_t first, uint32_t n, uint32_t accepted, int stopped)
{
	struct aif_ioc_submit arg = { .size = sizeof(arg), .first = first, .count = n };
	struct aif_cmd_submit cmd = { .first = first, .count = n };
	struct actor *at = &fd->actor->at;

	if (can_ring(fd) && one_in(2)) {
		must_be(actor_ring_call(at, fd->fd, AIF_CMD_SUBMIT, &cmd),
			accepted ? (long)accepted : stopped);
		return;
	}
	must_be(actor_call(at, fd->fd, AIF_IOC_SUBMIT, &arg, sizeof(arg), PLACE_DESK),
		accepted ? 0 : stopped);
	if (arg.out_accepted != accepted)
		fail("%u were accepted, expected %u", arg.out_accepted, accepted);
}

static void submit_waiting(struct w_fd *fd, uint32_t first, uint32_t n, struct w_wait *batch)
{
	uint32_t flags = batch->first ? AIF_SUBMIT_F_WAIT_FIRST : AIF_SUBMIT_F_WAIT_ALL;
	struct aif_ioc_submit arg = {
		.size = sizeof(arg), .flags = flags, .first = first, .count = n,
	};
	struct aif_cmd_submit cmd = { .flags = flags, .first = first, .count = n };
	struct w_wait *wait;
	long number = 0;

	if (can_ring(fd))
		number = actor_ring_start(&fd->actor->at, fd->fd, AIF_CMD_SUBMIT, &cmd);
	else
		actor_begin_call(&fd->actor->at, fd->fd, AIF_IOC_SUBMIT, &arg, sizeof(arg));
	wait = wait_new(fd->actor, fd->file, WAIT_SUBMIT, number);
	wait->accepted = batch->accepted;
	wait->first = batch->first;
	memcpy(wait->tags, batch->tags, sizeof(wait->tags));
	memcpy(wait->generations, batch->generations, sizeof(wait->generations));
	say(" waiting for %s (wait %u)", batch->first ? "the first" : "all", w.wait_count - 1);
}

static bool submit(struct w_fd *fd, uint32_t n, bool waits)
{
	struct w_client *c = fd->file->client;
	uint32_t first = (uint32_t)next_random(), i;
	struct w_wait batch = { .first = one_in(2) };
	struct aif_desc d[MAX_DEPTH];
	int stopped = 0;

	say_fd(fd, "submits by");
	for (i = 0; i < n; i++) {
		d[i] = some_desc(c);
		if (one_in(10))
			spoil_desc(c, &d[i]);
		write_desc(c, first + i, &d[i]);
	}
	batch.accepted = take(c, d, n, &batch, &stopped);
	if (waits && batch.accepted)
		submit_waiting(fd, first, n, &batch);
	else
		submit_now(fd, first, n, batch.accepted, stopped);
	return true;
}

/* Most of those that submit have something to submit with. */
static struct w_fd *pick_submitter(void)
{
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && fd->file->client &&
			       client_grants(fd->file->client) &&
			       map_of_array(fd->file, AIF_ARRAY_DESC));

	if (one_in(20))
		fd = pick_client();
	return fd && map_of_array(fd->file, AIF_ARRAY_DESC) ? fd : NULL;
}

static bool op_submit(void)
{
	struct w_fd *fd = pick_submitter();

	return fd && submit(fd, 1 + pick(3), false);
}

static bool op_submit_waiting(void)
{
	struct w_fd *fd = pick_submitter();

	return fd && (can_ring(fd) || can_block(fd->actor)) &&
	       submit(fd, 1 + pick(3), true);
}

/* It ends by its deadline, before anything else is done. */
static bool op_expire(void)
{
	struct w_fd *fd = pick_submitter();
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_submit arg = { .size = sizeof(arg), .count = 1 };
	struct aif_desc d;
	long ret;
	int want;

	if (!fd || !map_of_array(fd->file, AIF_ARRAY_COMPLETION))
		return false;
	d = some_desc(c);
	d.deadline = raw_now() + (1 + pick(20)) * 1000000ull;
	want = submit_predict(c, &d, 0);
	write_desc(c, 0, &d);
	say_fd(fd, "submits what expires by");
	say(" tag %u gen %u", d.tag, d.generation);
	ret = actor_call(&fd->actor->at, fd->fd, AIF_IOC_SUBMIT, &arg, sizeof(arg), PLACE_DESK);
	if (raw_now() > d.deadline && ret == -ETIME)
		return true;
	must_be(ret, want);
	if (!want)
		submit_accept(c, &d);
	while (!want && raw_now() <= d.deadline)
		raw_sleep_ms(1);
	return true;
}

static bool op_bad_submit(void)
{
	struct w_fd *fd = pick_client();
	struct aif_ioc_submit arg = { .count = 1 };

	if (!fd)
		return false;
	if (one_in(2))
		arg.count = one_in(2) ? 0 : fd->file->client->depth + 1 + pick(1u << 30);
	else
		arg.flags = AIF_SUBMIT_F_WAIT_ALL | AIF_SUBMIT_F_WAIT_FIRST;
	say_fd(fd, "submits wrongly by");
	call(fd, AIF_IOC_SUBMIT, &arg, -EINVAL);
	return true;
}

static void cancel_waits(const struct w_client *c)
{
	struct w_wait *wait;

	for EACH(wait, wait) {
		if (!wait->actor || wait->file != c->file || !wait->number ||
		    wait->kind == WAIT_SUBMIT || wait_is_due(wait))
			continue;
		/* When a worker has begun it, nobody knows. */
		if (wait->actor->kind == DOOR_ASYNC)
			wait->may_be_cancelled = true;
		else
			wait->cancelled = true;
	}
}

static void cancel_all(struct w_client *c)
{
	uint32_t i;

	for (i = 0; i < c->depth; i++)
		request_end(&c->tags[i], -ECANCELED);
}

static void cancelled(struct w_client *c, const struct aif_ioc_cancel *arg)
{
	if (arg->flags)
		cancel_waits(c);
	else if (arg->tag == AIF_TAG_ALL)
		cancel_all(c);
	else
		request_end(&c->tags[arg->tag], -ECANCELED);
}

static int predict_cancel(const struct w_client *c, const struct aif_ioc_cancel *arg)
{
	const struct w_request *r;

	if (arg->flags)
		return arg->tag == AIF_TAG_ALL && !arg->generation ? 0 : -EINVAL;
	if (arg->tag == AIF_TAG_ALL)
		return 0;
	if (arg->tag >= c->depth)
		return -EINVAL;
	r = &c->tags[arg->tag];
	return request_busy(r) && !request_answered(r) && r->desc.generation == arg->generation ?
	       0 : -ENOENT;
}

/* Most often one in flight; for quiet, one that is answered and not quiet. */
static uint32_t tag_in_flight(const struct w_client *c, bool quiet)
{
	uint32_t i, busy = 0, orphans = 0, found = pick(c->depth), orphan = 0;

	for (i = 0; i < c->depth; i++) {
		if (request_busy(&c->tags[i]) && one_in(++busy))
			found = i;
		if (c->tags[i].state == AIF_STATE_ORPHANED && one_in(++orphans))
			orphan = i;
	}
	if (quiet && orphans)
		found = orphan;
	return one_in(4) ? pick(c->depth) : found;
}

static bool op_cancel(void)
{
	struct w_fd *fd = pick_client();
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_cancel arg = { 0 };
	struct aif_cmd_cancel cmd;
	int want;

	if (!fd)
		return false;
	arg.tag = one_in(8) ? AIF_TAG_ALL :
		  one_in(16) ? (uint32_t)next_random() : tag_in_flight(c, false);
	arg.flags = one_in(12) ? AIF_CANCEL_F_WAITS : 0;
	if (arg.flags && !one_in(6))
		arg.tag = AIF_TAG_ALL;
	else if (arg.tag < c->depth)
		arg.generation = c->tags[arg.tag].desc.generation - one_in(8);
	want = predict_cancel(c, &arg);
	say_fd(fd, "cancels by");
	say(" tag %u gen %u flags %u", arg.tag, arg.generation, arg.flags);
	if (can_ring(fd) && one_in(2)) {
		cmd = (struct aif_cmd_cancel){ arg.flags, arg.tag, arg.generation, 0 };
		must_be(actor_ring_call(&fd->actor->at, fd->fd, AIF_CMD_CANCEL, &cmd), want);
	} else if (!call(fd, AIF_IOC_CANCEL, &arg, want)) {
		return true;
	}
	if (!want)
		cancelled(c, &arg);
	return true;
}

/* ---- clients: waiting ---- */

static bool has_orphans(const struct w_client *c)
{
	uint32_t i;

	for (i = 0; i < c->depth; i++)
		if (c->tags[i].state == AIF_STATE_ORPHANED)
			return true;
	return false;
}

/* Often one of which something is answered and not quiet: there the two differ. */
static struct w_fd *pick_waiter(void)
{
	struct w_fd *fd = PICK(fd, fd, idle(fd->actor) && fd->file->client &&
			       has_orphans(fd->file->client));

	return fd && !one_in(3) ? fd : pick_client();
}

/* What is waited for, with nobody in it yet. */
static struct w_wait some_wait(struct w_fd *fd)
{
	const struct w_client *c = fd->file->client;
	struct w_wait wait = {
		.file = fd->file,
		.kind = has_orphans(c) && one_in(2) ? WAIT_QUIET : WAIT_ANSWERED + pick(3),
	};

	if (wait.kind == WAIT_ANSWERED) {
		wait.value = c->answered + pick(3);
	} else if (wait.kind == WAIT_QUIET) {
		wait.tag = one_in(4) ? AIF_TAG_ALL : tag_in_flight(c, true);
	} else {
		wait.tag = tag_in_flight(c, false);
		wait.value = pick(3) * 40;
	}
	say_fd(fd, "waits by");
	say(" kind %u tag %u value %llu", wait.kind, wait.tag, (unsigned long long)wait.value);
	return wait;
}

static struct aif_ioc_wait wait_argument(const struct w_wait *wait, int64_t timeout_ns)
{
	return (struct aif_ioc_wait){
		.size = sizeof(struct aif_ioc_wait), .tag = wait->tag, .value = wait->value,
		.flags = wait->kind == WAIT_PRODUCED ? AIF_WAIT_F_PRODUCED : 0,
		.timeout_ns = timeout_ns,
	};
}

static struct aif_ioc_wait_quiet quiet_argument(const struct w_wait *wait, int64_t timeout_ns)
{
	return (struct aif_ioc_wait_quiet){
		.size = sizeof(struct aif_ioc_wait_quiet), .tag = wait->tag,
		.timeout_ns = timeout_ns,
	};
}

/* Look, or wait for a moment in which nothing can happen. */
static bool op_wait(void)
{
	struct w_fd *fd = pick_waiter();
	int64_t timeout = one_in(4) ? pick(2000000) : 0;
	struct w_wait wait;
	struct aif_ioc_wait arg;
	struct aif_ioc_wait_quiet quiet;
	bool good;
	int want;

	if (!fd)
		return false;
	wait = some_wait(fd);
	want = wait_is_due(&wait) ? 0 : -ETIME;
	arg = wait_argument(&wait, timeout);
	quiet = quiet_argument(&wait, timeout);
	good = wait.kind == WAIT_QUIET ? call(fd, AIF_IOC_WAIT_QUIET, &quiet, want) :
					 call(fd, AIF_IOC_WAIT, &arg, want);
	if (good && wait.kind == WAIT_ANSWERED && wait.value > fd->file->client->seen)
		fd->file->client->seen = wait.value;
	return true;
}

static long park_wait(struct w_fd *fd, const struct w_wait *wait)
{
	struct aif_cmd_wait cmd = {
		.flags = wait->kind == WAIT_PRODUCED ? AIF_WAIT_F_PRODUCED : 0,
		.tag = wait->tag, .value = wait->value,
	};
	struct aif_cmd_wait_quiet quiet = { .tag = wait->tag };

	return wait->kind == WAIT_QUIET ?
	       actor_ring_start(&fd->actor->at, fd->fd, AIF_CMD_WAIT_QUIET, &quiet) :
	       actor_ring_start(&fd->actor->at, fd->fd, AIF_CMD_WAIT, &cmd);
}

static long block_wait(struct w_fd *fd, const struct w_wait *wait)
{
	struct aif_ioc_wait arg = wait_argument(wait, -1);
	struct aif_ioc_wait_quiet quiet = quiet_argument(wait, -1);

	if (wait->kind == WAIT_QUIET)
		actor_begin_call(&fd->actor->at, fd->fd, AIF_IOC_WAIT_QUIET, &quiet, sizeof(quiet));
	else
		actor_begin_call(&fd->actor->at, fd->fd, AIF_IOC_WAIT, &arg, sizeof(arg));
	return 0;
}

static bool op_wait_long(void)
{
	struct w_fd *fd = pick_waiter();
	struct w_wait wait, *added;
	long number;

	if (!fd || (!can_ring(fd) && !can_block(fd->actor)))
		return false;
	wait = some_wait(fd);
	number = can_ring(fd) ? park_wait(fd, &wait) : block_wait(fd, &wait);
	if (number < 0)
		fail("the ring does not take it: %s", result_name(number));
	added = wait_new(fd->actor, fd->file, wait.kind, number);
	added->tag = wait.tag;
	added->value = wait.value;
	say(" (wait %u)", w.wait_count - 1);
	return true;
}

/* ---- clients: eventfd ---- */

static void check_eventfd(struct w_fd *fd)
{
	struct w_client *c = fd->file->client;
	long want = (long)(c->answered - c->event_seen);

	say(" (reads it)");
	must_be(actor_read_eventfd(&c->event_actor->at, c->event_fd), want ? want : -EAGAIN);
	c->event_seen = c->answered;
}

static bool op_eventfd(void)
{
	struct w_fd *fd = pick_fd(CLIENTS);
	struct w_client *c = fd ? fd->file->client : NULL;
	struct aif_ioc_set_eventfd arg;
	long event;

	if (!fd || (c->event_actor && !idle(c->event_actor)))
		return false;
	say_fd(fd, "sets an eventfd by");
	if (c->event_actor)
		check_eventfd(fd);
	switch (pick(5)) {
	case 0:
		arg.fd = fd->fd;	/* none */
		call(fd, AIF_IOC_SET_EVENTFD, &arg, -EINVAL);
		return true;
	case 1:
		arg.fd = one_in(2) ? 9999 : -2;
		call(fd, AIF_IOC_SET_EVENTFD, &arg, -EBADF);
		return true;
	case 2:
		arg.fd = -1;
		if (call(fd, AIF_IOC_SET_EVENTFD, &arg, 0))
			c->event_actor = NULL;
		return true;
	}
	event = actor_eventfd(&fd->actor->at);
	arg.fd = (int)event;
	if (!call(fd, AIF_IOC_SET_EVENTFD, &arg, 0))
		return true;
	c->event_actor = fd->actor;
	c->event_fd = (int)event;
	c->event_seen = c->answered;
	return true;
}

const struct act client_acts[] = {
	ACT(open_service, 5), ACT(alloc, 5), ACT(free, 2), ACT(share, 4),
	ACT(grant, 10), ACT(revoke, 3),
	ACT(submit, 40), ACT(submit_waiting, 10), ACT(bad_submit, 1), ACT(cancel, 7),
	ACT(wait, 7), ACT(wait_long, 6),
	ACT(expire, 2), ACT(eventfd, 5),
	{ 0 }
};
