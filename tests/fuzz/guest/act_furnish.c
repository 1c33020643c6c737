// SPDX-License-Identifier: MIT
/*
 * What chance would take long to bring together: a service, an executor of it,
 * and a client with a buffer granted to it.
 */
#include "act.h"
#include "settle.h"

static struct w_fd *last_fd(void)
{
	return &w.fds[w.fd_count - 1];
}

static bool is_open(const struct w_service *s)
{
	return !s->gone && !s->draining;
}

static bool add_service(struct w_actor *a, uint32_t number)
{
	return a && open_file(a, true) && create_service(last_fd(), number);
}

static bool add_executor(struct w_actor *a, struct w_service *s)
{
	return a && open_file(a, true) && attach(last_fd(), s, NULL, -1);
}

static bool add_client(struct w_actor *a, struct w_service *s)
{
	struct w_client *c;
	uint32_t buffers = w.buffer_count;

	if (!a || !open_file(a, false))
		return false;
	c = last_fd()->file->client;
	info_file(last_fd(), 16, AIF_F_URING | AIF_F_TRANSFER | AIF_F_MEMFD | AIF_F_IMPORT);
	open_service(last_fd(), s->desc.name, s->owner);
	alloc(last_fd(), 4 * PAGE);
	if (w.buffer_count > buffers && c->open_count)
		grant(last_fd(), w.buffers[buffers].handle, c->opens[0].handle, true);
	return true;
}

void furnish(void)
{
	uint32_t i;

	spoil_calls(false);
	for (i = 0; i < 2; i++) {
		say_op(0);
		add_service(&w.actors[4], i);
		add_executor(&w.actors[2 * i], &w.services[i]);
		settle();
		say_op(0);
		add_client(&w.actors[2 * i + 1], &w.services[i]);
		settle();
	}
	spoil_calls(true);
}

/* ---- later, for what is missing by now ---- */

static bool holds(const struct w_actor *a, const struct w_service *s)
{
	const struct w_fd *fd;

	for EACH(fd, fd)
		if (fd->actor == a && fd->file == s->file)
			return true;
	return false;
}

/* One that may serve, and does not hold @s. */
static struct w_actor *pick_server(const struct w_service *s)
{
	struct w_actor *a = pick_actor();

	return a && a->uid == RAW_EXECUTOR_UID && !(s && holds(a, s)) ? a : NULL;
}

static bool is_asked(const struct w_service *s)
{
	const struct w_grant *g;

	for EACH(g, grant)
		if (g->service == s && !g->revoked && map_of_array(g->client->file, AIF_ARRAY_DESC))
			return true;
	return false;
}

static bool add_what_is_missing(void)
{
	struct w_service *open = PICK(s, service, is_open(s));
	struct w_service *idle = PICK(s, service, is_open(s) && s->owner == RAW_EXECUTOR_UID &&
				      !service_executors(s));
	struct w_service *unasked = PICK(s, service, is_open(s) && !is_asked(s));

	if (!open)
		return add_service(pick_server(NULL), pick(4));
	if (idle && (!unasked || one_in(2)))
		return add_executor(pick_server(idle), idle);
	return unasked && add_client(pick_actor(), unasked);
}

static bool op_furnish(void)
{
	bool done;

	spoil_calls(false);
	done = add_what_is_missing();
	spoil_calls(true);
	return done;
}

const struct act furnish_acts[] = {
	ACT(furnish, 30),
	{ 0 }
};
