/* SPDX-License-Identifier: MIT */
/*
 * catalog.h - the services there are, at one moment
 *
 * A source asks the device now and then; a catalog is what it answered, constant and
 * shared, and lives as long as somebody holds it.
 */
#ifndef AIF_GATEWAY_CATALOG_H
#define AIF_GATEWAY_CATALOG_H

#include "libaif.h"

struct aif_why;
struct catalog;
struct catalog_source;
struct gateway;

/* The gateway's own file of the device; services of opts.owner only. */
struct catalog_source *catalog_source_open(const struct gateway *gateway, struct aif_why *why);
void catalog_source_close(struct catalog_source *source);

/* Ask again.  0 or -errno: the catalog stays as it was.  [any thread] */
int catalog_refresh(struct catalog_source *source);

/* The newest catalog, to be put.  [any thread] */
struct catalog *catalog_get(struct catalog_source *source);
void catalog_put(struct catalog *catalog);

unsigned int catalog_count(const struct catalog *catalog);
const struct aif_service_info *catalog_at(const struct catalog *catalog, unsigned int i);

/*
 * The service of that name, or that the alias @name stands for, or whose model has
 * that name; NULL.
 */
const struct aif_service_info *catalog_find(const struct catalog *catalog, const char *name);

/* Somebody executes some of them.  Is that so of one? */
bool catalog_is_ready(const struct catalog *catalog);
bool service_is_ready(const struct aif_service_info *info);

/* What /invocations asks: opts.sole, or the first that makes embeddings; NULL. */
const struct aif_service_info *catalog_sole(const struct catalog *catalog);

/*
 * Does it turn a text into a vector of floats, and say how many tokens there were?
 * Then it has @dimensions, and takes @max_tokens (0: it does not say).
 */
bool service_embeds(const struct aif_service_info *info);
unsigned int service_dimensions(const struct aif_service_info *info);
unsigned int service_max_tokens(const struct aif_service_info *info);

#endif
