// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

#define RING_ENTRIES	8

int world_serve_open(void)
{
	return raw_open_as("/dev/aif-serve", RAW_EXECUTOR_UID);
}

int world_other_create(struct world *w)
{
	struct aif_service_desc desc = raw_service_desc("other");

	return raw_service_create(&w->other, &desc, RAW_EXECUTOR_UID);
}

int world_ring(struct world *w)
{
	int err;

	if (w->ring.ring_fd >= 0)
		io_uring_queue_exit(&w->ring);
	err = io_uring_queue_init(RING_ENTRIES, &w->ring, w->ring_flags);
	if (err)
		w->ring.ring_fd = -1;
	return err;
}

int world_open(struct world *w, unsigned int ring_flags)
{
	int err;

	memset(w, 0, sizeof(*w));
	w->ring.ring_fd = -1;
	w->ring_flags = ring_flags;
	w->fd = -1;
	w->eventfd = -1;
	err = raw_rig_open(&w->rig, NULL);
	w->second.fd = -1;
	if (!err)
		err = world_other_create(w);
	if (!err && system("modprobe aif_mock maps=1"))
		err = -ENODEV;
	w->serve = world_serve_open();
	if (!err && w->serve < 0)
		err = w->serve;
	if (!err)
		world_settle(w);
	return err;
}

void world_close(struct world *w)
{
	if (w->ring.ring_fd >= 0)
		io_uring_queue_exit(&w->ring);
	if (w->second.fd >= 0)
		raw_executor_close(&w->second);
	close(w->serve);
	raw_service_close(&w->other);
	raw_rig_close(&w->rig);
	if (system("rmmod aif_mock"))
		printf("# aif_mock stays loaded\n");
}

static void take_events(struct raw_executor *ex)
{
	struct raw_taken none[1];

	while (ex->fd >= 0 && raw_take(ex, AIF_FETCH_F_NONBLOCK, 0, none) >= 0)
		;
}

void world_settle(struct world *w)
{
	take_events(&w->rig.executor);
	take_events(&w->second);
}

/* Commits that name nothing are counted as stale, and that is all. */
static void give_all(struct raw_executor *ex)
{
	uint32_t i;

	if (ex->fd < 0)
		return;
	for (i = 0; i < ex->slots; i++)
		ex->commit[i] = (struct aif_commit){
			.type = AIF_COMMIT_RESULT, .index = i,
			.generation = ex->slot[i].generation,
		};
	raw_turn(ex, AIF_FETCH_F_COMMIT_ONLY, ex->slots, 0);
}

void world_quiesce(struct world *w)
{
	struct raw_client *c = &w->rig.client;

	raw_cancel(c, AIF_TAG_ALL, 0);
	give_all(&w->rig.executor);
	give_all(&w->second);
	world_settle(w);
	raw_wait(c, c->status->answered, 0);	/* poll() has nothing to say */
}
