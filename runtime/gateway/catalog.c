// SPDX-License-Identifier: MIT
#include "runtime/gateway/catalog.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/gateway/gateway.h"
#include "runtime/model/why.h"

enum { IN_TEXT, OUT_EMBEDDING, OUT_COUNTS };

struct catalog {
	atomic_uint references;
	const struct options *opts;
	unsigned int count;
	struct aif_service_info *services[];
};

struct catalog_source {
	const struct options *opts;
	struct aif_client *client;
	pthread_mutex_t lock;
	struct catalog *newest;		/* under @lock */
};

/* ---- asking ---- */

static bool is_trusted(const struct options *o, const struct aif_service_info *info)
{
	if (o->owner != AIF_OWNER_TRUSTED)
		return info->owner == o->owner;
	return info->owner == 0 || info->owner == (uint32_t)geteuid();
}

/* There may be more of them at each look. */
static int service_ids(struct aif_client *client, uint32_t **ids)
{
	int n, room = 0;

	*ids = NULL;
	while ((n = aif_service_list(client, *ids, (unsigned int)room)) > room) {
		uint32_t *more = reallocarray(*ids, (size_t)n, sizeof(**ids));

		if (!more)
			return -ENOMEM;
		*ids = more;
		room = n;
	}
	return n;
}

static void describe(struct catalog_source *s, struct catalog *c, uint32_t id)
{
	struct aif_service_info *info = aif_service_describe(s->client, id);

	if (info && is_trusted(s->opts, info))
		c->services[c->count++] = info;
	else
		aif_service_info_free(info);
}

static struct catalog *ask(struct catalog_source *s)
{
	struct catalog *c = NULL;
	uint32_t *ids;
	int n = service_ids(s->client, &ids);

	if (n >= 0)
		c = calloc(1, sizeof(*c) + (size_t)n * sizeof(c->services[0]));
	if (c) {
		c->references = 1;
		c->opts = s->opts;
		for (int i = 0; i < n; i++)
			describe(s, c, ids[i]);
	}
	free(ids);
	return c;
}

int catalog_refresh(struct catalog_source *s)
{
	struct catalog *c = ask(s), *before;

	if (!c)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	before = s->newest;
	s->newest = c;
	pthread_mutex_unlock(&s->lock);
	catalog_put(before);
	return 0;
}

struct catalog_source *catalog_source_open(const struct gateway *g, struct aif_why *why)
{
	struct aif_client_opts opts = { .size = sizeof(opts), .device = g->opts.device, .depth = 1 };
	struct catalog_source *s = calloc(1, sizeof(*s));

	if (!s) {
		aif_why_format(why, "no memory");
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->opts = &g->opts;
	s->client = aif_client_open(&opts);
	if (!s->client)
		aif_why_format(why, "%s: %s; `aif probe` tells more", g->opts.device,
			       aif_error_text(errno));
	if (s->client && !catalog_refresh(s))
		return s;
	catalog_source_close(s);
	return NULL;
}

void catalog_source_close(struct catalog_source *s)
{
	if (!s)
		return;
	catalog_put(s->newest);
	aif_client_close(s->client);
	free(s);
}

/* ---- looking ---- */

struct catalog *catalog_get(struct catalog_source *s)
{
	struct catalog *c;

	pthread_mutex_lock(&s->lock);
	c = s->newest;
	atomic_fetch_add(&c->references, 1);
	pthread_mutex_unlock(&s->lock);
	return c;
}

void catalog_put(struct catalog *c)
{
	if (!c || atomic_fetch_sub(&c->references, 1) > 1)
		return;
	for (unsigned int i = 0; i < c->count; i++)
		aif_service_info_free(c->services[i]);
	free(c);
}

unsigned int catalog_count(const struct catalog *c)
{
	return c->count;
}

const struct aif_service_info *catalog_at(const struct catalog *c, unsigned int i)
{
	return c->services[i];
}

/* This user's rather than root's, as aif_service_open() has it. */
static const struct aif_service_info *find_name(const struct catalog *c, const char *name)
{
	const struct aif_service_info *found = NULL;

	for (unsigned int i = 0; i < c->count; i++) {
		if (!strcmp(c->services[i]->name, name) &&
		    (!found || c->services[i]->owner == (uint32_t)geteuid()))
			found = c->services[i];
	}
	return found;
}

static const struct aif_service_info *find_alias(const struct catalog *c, const char *name)
{
	for (unsigned int i = 0; i < c->opts->alias_count; i++) {
		if (!strcmp(c->opts->aliases[i].name, name))
			return find_name(c, c->opts->aliases[i].service);
	}
	return NULL;
}

/* One that takes texts rather than one that takes their token ids. */
static const struct aif_service_info *find_model(const struct catalog *c, const char *name)
{
	const struct aif_service_info *found = NULL;

	for (unsigned int i = 0; i < c->count; i++) {
		if (!strcmp(c->services[i]->model, name) &&
		    (!found || (!service_embeds(found) && service_embeds(c->services[i]))))
			found = c->services[i];
	}
	return found;
}

const struct aif_service_info *catalog_find(const struct catalog *c, const char *name)
{
	const struct aif_service_info *info = find_name(c, name);

	if (!info)
		info = find_alias(c, name);
	return info ? info : find_model(c, name);
}

const struct aif_service_info *catalog_sole(const struct catalog *c)
{
	if (c->opts->sole)
		return catalog_find(c, c->opts->sole);
	for (unsigned int i = 0; i < c->count; i++) {
		if (service_embeds(c->services[i]))
			return c->services[i];
	}
	return NULL;
}

bool catalog_is_ready(const struct catalog *c)
{
	for (unsigned int i = 0; i < c->count; i++) {
		if (service_is_ready(c->services[i]))
			return true;
	}
	return false;
}

/* ---- what a service is ---- */

bool service_is_ready(const struct aif_service_info *info)
{
	return info->executors && !info->draining;
}

bool service_embeds(const struct aif_service_info *info)
{
	const struct aif_service_io *io = info->io;

	return info->input_count == 1 && info->output_count == 2 &&
	       io[IN_TEXT].kind == AIF_KIND_UTF8 &&
	       io[OUT_EMBEDDING].element == AIF_ELEMENT_F32 && io[OUT_EMBEDDING].dims == 1 &&
	       io[OUT_EMBEDDING].shape[0] > 0 && io[OUT_COUNTS].element == AIF_ELEMENT_I32 &&
	       io[OUT_COUNTS].dims == 1 && io[OUT_COUNTS].shape[0] == 2;
}

unsigned int service_dimensions(const struct aif_service_info *info)
{
	return (unsigned int)info->io[OUT_EMBEDDING].shape[0];
}

unsigned int service_max_tokens(const struct aif_service_info *info)
{
	size_t length;
	const char *value = aif_service_info_value(info, "max_tokens", &length);

	return value ? (unsigned int)strtoul(value, NULL, 10) : 0;
}
