// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "act.h"
#include "play.h"
#include "settle.h"

struct play_count *play_counts;
struct tally *play_tally;

/* ---- all operations ---- */

static const struct act *const parts[] = {
	party_acts, executor_acts, client_acts, memory_acts, transfer_acts, tenant_acts,
	furnish_acts,
};

#define PARTS	(sizeof(parts) / sizeof(parts[0]))

/* The @i-th of all; NULL behind the last. */
static const struct act *act_at(uint32_t i)
{
	const struct act *a;
	size_t part;

	for (part = 0; part < PARTS; part++)
		for (a = parts[part]; a->name; a++)
			if (!i--)
				return a;
	return NULL;
}

uint32_t play_kinds(void)
{
	uint32_t n = 0;

	while (act_at(n))
		n++;
	return n;
}

void play_init(void)
{
	uint32_t i, n = play_kinds();

	play_tally = mmap(NULL, sizeof(*play_tally) + n * sizeof(*play_counts),
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (play_tally == MAP_FAILED)
		fail("no memory");
	play_counts = (struct play_count *)(play_tally + 1);
	for (i = 0; i < n; i++)
		play_counts[i].name = act_at(i)->name;
}

static uint32_t pick_kind(void)
{
	uint32_t sum = 0, i, at;

	for (i = 0; act_at(i); i++)
		sum += act_at(i)->often;
	at = pick(sum);
	for (i = 0; at >= act_at(i)->often; i++)
		at -= act_at(i)->often;
	return i;
}

void play(uint32_t n, uint64_t seed)
{
	uint32_t kind;

	set_chance(seed);
	world_step();
	say_op(n);
	do {
		kind = pick_kind();
	} while (!act_at(kind)->run());
	play_counts[kind].done++;
	settle();
}

/* ---- beginning and end ---- */

static void read_limit(const char *name, void *to, size_t bytes)
{
	char path[96], text[32] = { 0 };
	uint64_t value;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/aif/parameters/%s", name);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		fail("%s: %s", path, result_name(-errno));
	fclose(f);
	value = text[0] == 'Y' || strtoull(text, NULL, 10);
	if (text[0] != 'Y' && text[0] != 'N')
		value = strtoull(text, NULL, 10);
	memcpy(to, &value, bytes);
}

#define READ_LIMIT(name) read_limit(#name, &w.limits.name, sizeof(w.limits.name))

static void read_limits(void)
{
	READ_LIMIT(max_depth);
	READ_LIMIT(max_buffers);
	READ_LIMIT(max_grants);
	READ_LIMIT(max_services);
	READ_LIMIT(tenant_requests);
	READ_LIMIT(device_requests);
	READ_LIMIT(tenant_bytes);
	READ_LIMIT(tenant_pinned);
	READ_LIMIT(service_bytes);
	READ_LIMIT(tenant_by_uid);
}

/* What this kernel has of rings. */
static void read_features(void)
{
	struct io_uring ring;
	struct raw_client c;
	int err = raw_client_init(&c, open("/dev/aif", O_RDWR | O_CLOEXEC), 1, ~0ull);

	if (err)
		fail("a client cannot begin: %s", result_name(err));
	w.limits.features = c.features & ~AIF_F_REALTIME;	/* not everybody's; see info_file() */
	raw_client_close(&c);
	w.limits.rings = !io_uring_queue_init(1, &ring, 0);
	if (w.limits.rings)
		io_uring_queue_exit(&ring);
}

void play_begin(void)
{
	uint32_t i;

	read_limits();
	read_features();
	world_step();
	settle_begin();
	fail_status = 1;
	for (i = 0; i < FIRST_ACTORS; i++)
		actor_made(&w.actors[i], party_new(actor_uids[i]), actor_uids[i]);
	furnish();
}

void play_end(void)
{
	struct w_actor *a;
	size_t i;

	for (a = w.actors; a < w.actors + MAX_ACTORS; a++) {
		if (!a->alive)
			continue;
		world_step();
		say_op(0);
		say("actor %u is killed at the end", actor_number(a));
		kill_actor(a);
		settle();
	}
	tenants_reset();
	for (i = 0; i < sizeof(w.tally) / sizeof(uint64_t); i++)
		((uint64_t *)play_tally)[i] += ((const uint64_t *)&w.tally)[i];
}
