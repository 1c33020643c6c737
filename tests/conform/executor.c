// SPDX-License-Identifier: MIT
/* Executors for the tests: in this process, and in one that can be killed. */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform.h"

static void *map_array(struct executor *e, enum aif_array_kind kind, int prot)
{
	const struct aif_array *a = &e->info.out_arrays[kind];

	return map_node(e->f, a->offset, (size_t)a->entry_size * a->count, prot);
}

int executor_try_attach(struct executor *e, const struct service *s, uint32_t slots, int holder_fd)
{
	struct aif_ioc_executor_attach arg = {
		.size = sizeof(arg), .service = s->id, .holder_fd = holder_fd, .slots = slots,
	};

	*e = (struct executor){ .f = open_node(LIBAIF_SERVE) };
	return libaif_call(e->f, AIF_IOC_EXECUTOR_ATTACH, &arg);
}

void executor_start(struct executor *e, const struct service *s, uint32_t slots)
{
	OK(executor_try_attach(e, s, slots, s->holder->fd));
	e->info = (struct aif_ioc_info){ .size = sizeof(e->info) };
	OK(libaif_call(e->f, AIF_IOC_INFO, &e->info));
	e->slots = map_array(e, AIF_ARRAY_SLOT, PROT_READ);
	e->deliveries = map_array(e, AIF_ARRAY_DELIVERY, PROT_READ);
	e->commits = map_array(e, AIF_ARRAY_COMMIT, PROT_READ | PROT_WRITE);
	e->status = map_array(e, AIF_ARRAY_EXECUTOR_STATUS, PROT_READ);
}

static void grant_added(struct executor *e, const struct aif_delivery *d)
{
	int prot = d->flags & AIF_DELIVERY_F_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;

	TRUE(d->index < GRANTS_MAX);
	e->grants[d->index].data = map_node(e->f, d->offset, d->length, prot);
	e->grants[d->index].length = d->length;
}

static void take(struct executor *e, unsigned int count)
{
	bool request_seen = false;
	unsigned int i;

	e->count = 0;
	e->event_count = 0;
	TRUE(count <= DELIVERIES_MAX);
	for (i = 0; i < count; i++) {
		const struct aif_delivery *d = &e->deliveries[i];

		if (d->type == AIF_DELIVERY_REQUEST) {
			request_seen = true;
			e->requests[e->count++] = *d;
			continue;
		}
		if (request_seen)
			FAIL("event %u comes after a request", d->type);
		if (d->type == AIF_EVENT_GRANT_ADDED)
			grant_added(e, d);
		else
			e->events[e->event_count++] = *d;
	}
}

static int turn(struct executor *e, uint32_t credit, uint32_t flags)
{
	struct aif_ioc_commit_fetch arg = {
		.size = sizeof(arg), .flags = flags, .credit = credit,
	};
	int err = libaif_call(e->f, AIF_IOC_COMMIT_FETCH, &arg);

	take(e, err ? 0 : arg.out_count);
	return err;
}

int fetch(struct executor *e, uint32_t credit)
{
	return turn(e, credit, AIF_FETCH_F_NONBLOCK);
}

int fetch_wait(struct executor *e, uint32_t credit)
{
	return turn(e, credit, 0);
}

void fetch_exactly(struct executor *e, uint32_t count)
{
	OK(fetch(e, count));
	if (!e->count)		/* the events came alone */
		OK(fetch(e, count));
	IS(e->count, count);
}

const struct aif_slot *slot_of(const struct executor *e, unsigned int i)
{
	return &e->slots[e->requests[i].index];
}

unsigned char *mapped(const struct executor *e, struct aif_range range)
{
	TRUE(range.grant < GRANTS_MAX && e->grants[range.grant].data);
	TRUE((uint64_t)range.offset + range.length <= e->grants[range.grant].length);
	return e->grants[range.grant].data + range.offset;
}

int commit_raw(struct executor *e, struct aif_commit c)
{
	uint32_t position = e->commit_next++ % e->info.out_arrays[AIF_ARRAY_COMMIT].count;
	struct aif_ioc_commit_fetch arg = {
		.size = sizeof(arg), .flags = AIF_FETCH_F_COMMIT_ONLY, .commit_first = position,
		.commit_count = 1,
	};
	int err;

	e->commits[position] = c;
	err = libaif_call(e->f, AIF_IOC_COMMIT_FETCH, &arg);
	return err ? err : (int)arg.out_stale;
}

int commit(struct executor *e, const struct aif_delivery *d, int result, uint32_t produced)
{
	return commit_raw(e, (struct aif_commit){
		.type = AIF_COMMIT_RESULT, .index = d->index, .generation = d->generation,
		.result = result, .produced = produced,
	});
}

int progress(struct executor *e, const struct aif_delivery *d, uint32_t produced, bool *cancelled)
{
	struct aif_ioc_progress arg = {
		.size = sizeof(arg), .slot = d->index, .generation = d->generation,
		.produced = produced,
	};
	int err = libaif_call(e->f, AIF_IOC_PROGRESS, &arg);

	if (cancelled)
		*cancelled = arg.out_cancelled;
	return err;
}

/* ---- mortals ---- */

enum order { ORDER_FETCH, ORDER_PROGRESS, ORDER_COMMIT };

struct message {
	enum order order;
	uint32_t index;
	uint32_t value;
};

struct answer {
	int err;
	unsigned int count;
	struct aif_delivery requests[DELIVERIES_MAX];
};

static int fetch_requests(struct executor *e, uint32_t credit)
{
	int err;

	do {
		err = fetch_wait(e, credit);
	} while (!err && !e->count);
	return err;
}

static int obey(struct executor *e, const struct message *m)
{
	switch (m->order) {
	case ORDER_FETCH:
		return fetch_requests(e, m->value);
	case ORDER_PROGRESS:
		return progress(e, &e->requests[m->index], m->value, NULL);
	case ORDER_COMMIT:
		return commit(e, &e->requests[m->index], 0, 0);
	}
	return -EINVAL;
}

/* The child's life: it ends when it is killed, or with its parent. */
static _Noreturn void live(const struct service *s, uint32_t slots, int from, int to)
{
	struct executor e;
	struct message m;
	struct answer a = { 0 };

	executor_start(&e, s, slots);
	for (;;) {
		if (write(to, &a, sizeof(a)) != sizeof(a) || read(from, &m, sizeof(m)) != sizeof(m))
			_exit(0);
		a.err = obey(&e, &m);
		if (m.order == ORDER_FETCH) {
			a.count = e.count;
			memcpy(a.requests, e.requests, sizeof(a.requests));
		}
	}
}

static int hear(struct mortal *m)
{
	struct answer a;

	if (read(m->from, &a, sizeof(a)) != sizeof(a))
		FAIL("the executor's process ended unasked");
	m->e.count = a.count;
	memcpy(m->e.requests, a.requests, sizeof(a.requests));
	return a.err;
}

static int tell(struct mortal *m, enum order order, uint32_t index, uint32_t value)
{
	struct message message = { .order = order, .index = index, .value = value };

	if (is_local())
		return obey(&m->e, &message);
	if (write(m->to, &message, sizeof(message)) != sizeof(message))
		FAIL("the executor's process is gone");
	return hear(m);
}

void mortal_start(struct mortal *m, const struct service *s, uint32_t slots)
{
	int to[2], from[2];

	*m = (struct mortal){ 0 };
	if (is_local()) {
		executor_start(&m->e, s, slots);
		return;
	}
	OK(pipe(to));
	OK(pipe(from));
	m->pid = fork();
	if (!m->pid) {
		close(to[1]);
		close(from[0]);
		live(s, slots, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	m->to = to[1];
	m->from = from[0];
	OK(hear(m));
}

int mortal_fetch(struct mortal *m, uint32_t credit)
{
	return tell(m, ORDER_FETCH, 0, credit);
}

int mortal_progress(struct mortal *m, unsigned int i, uint32_t produced)
{
	return tell(m, ORDER_PROGRESS, i, produced);
}

int mortal_commit(struct mortal *m, unsigned int i)
{
	return tell(m, ORDER_COMMIT, i, 0);
}

void mortal_die(struct mortal *m)
{
	if (is_local()) {
		close_node(m->e.f);
		return;
	}
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	close(m->to);
	close(m->from);
}
