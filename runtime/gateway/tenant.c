// SPDX-License-Identifier: MIT
#include "runtime/gateway/tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/daemon/log.h"

#define BY_UID "/sys/module/aif/parameters/tenant_by_uid"

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

bool tenant_is_charged(const struct tenant *t)
{
	bool user = t->key.type == KEY_TENANT_UID;
	int fd = open(BY_UID, O_RDONLY | O_CLOEXEC);
	char by_uid = '\0';

	if (fd < 0)
		return true;	/* another device: the open says what it is */
	if (read(fd, &by_uid, 1) != 1)
		by_uid = '\0';
	close(fd);
	if (!by_uid || (by_uid == 'Y') == user)
		return true;
	log_error("tenant %s: the module charges %s, so nobody would be: make its keys with %s",
		  tenant_name(t), user ? "cgroups" : "users", user ? "--cgroup" : "--uid");
	return false;
}
