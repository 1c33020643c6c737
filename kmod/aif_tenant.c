// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tenants: who is charged.  Resolved once, at open, from the opener's cgroup
 * (or its uid); whoever holds the file later changes nothing.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/slab.h>

#include "aif.h"

static LIST_HEAD(aif_tenants);	/* aif_registry */

static u64 aif_tenant_id(const struct cred *opener)
{
	u64 id;

	if (aif_tenant_by_uid)
		return from_kuid(&init_user_ns, opener->euid);
	rcu_read_lock();
	id = cgroup_id(task_dfl_cgroup(current));
	rcu_read_unlock();
	return id;
}

static struct aif_tenant *aif_tenant_find(u64 id)
{
	struct aif_tenant *t;

	list_for_each_entry(t, &aif_tenants, node)
		if (t->id == id)
			return t;
	return NULL;
}

struct aif_tenant *aif_tenant_get(const struct cred *opener)
{
	u64 id = aif_tenant_id(opener);
	struct aif_tenant *t;

	mutex_lock(&aif_registry);
	t = aif_tenant_find(id);
	if (t) {
		kref_get(&t->ref);
		goto out;
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		goto out;
	kref_init(&t->ref);
	t->id = id;
	t->weight = 100;
	list_add(&t->node, &aif_tenants);
	aif_gauge(tenants, 1);
out:
	mutex_unlock(&aif_registry);
	return t;
}

static void aif_tenant_free(struct kref *ref)
{
	struct aif_tenant *t = container_of(ref, struct aif_tenant, ref);

	list_del(&t->node);
	mutex_unlock(&aif_registry);
	aif_gauge(tenants, -1);
	kfree(t);
}

void aif_tenant_put(struct aif_tenant *t)
{
	kref_put_mutex(&t->ref, aif_tenant_free, &aif_registry);
}
