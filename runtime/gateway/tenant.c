// SPDX-License-Identifier: MIT
#include "runtime/gateway/tenant.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* There are as many as the key file names: a list will do. */
struct tenants {
	pthread_mutex_t lock;
	struct tenant *list;
	unsigned int count;
};

struct tenants *tenants_open(void)
{
	struct tenants *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	if (tenant_get(t, &(struct key_tenant){ .type = KEY_TENANT_NONE }))
		return t;
	tenants_close(t);
	return NULL;
}

void tenants_close(struct tenants *tenants)
{
	if (!tenants)
		return;
	while (tenants->list) {
		struct tenant *t = tenants->list;

		tenants->list = t->next;
		free(t);
	}
	free(tenants);
}

static struct tenant *add(struct tenants *tenants, const struct key_tenant *key)
{
	struct tenant *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->index = tenants->count++;
	t->key = *key;
	t->next = tenants->list;
	tenants->list = t;
	return t;
}

struct tenant *tenant_get(struct tenants *tenants, const struct key_tenant *key)
{
	struct tenant *t;

	pthread_mutex_lock(&tenants->lock);
	for (t = tenants->list; t && strcmp(t->key.text, key->text); t = t->next)
		;
	if (!t)
		t = add(tenants, key);
	pthread_mutex_unlock(&tenants->lock);
	return t;
}

const char *tenant_name(const struct tenant *t)
{
	return *t->key.text ? t->key.text : "self";
}
