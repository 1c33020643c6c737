// SPDX-License-Identifier: GPL-2.0-only
/* /sys/kernel/debug/aif: one fact a file. */
#include <linux/debugfs.h>

#include "aif.h"

static struct dentry *aif_debugfs;
static struct dentry *aif_debugfs_engines;

#define AIF_FACT(type, name)	{ #name, offsetof(type, name) }

static const struct aif_fact {
	const char *name;
	size_t offset;
} aif_counter_facts[] = {
	AIF_FACT(struct aif_counters, requests),
	AIF_FACT(struct aif_counters, answered),
	AIF_FACT(struct aif_counters, descriptor_bytes),
	AIF_FACT(struct aif_counters, wakeups),
	AIF_FACT(struct aif_counters, fetched),
	AIF_FACT(struct aif_counters, stale_commits),
	AIF_FACT(struct aif_counters, recoveries),
	AIF_FACT(struct aif_counters, owner_dead),
	AIF_FACT(struct aif_counters, poisoned),
	AIF_FACT(struct aif_counters, executor_deaths),
	AIF_FACT(struct aif_counters, watchdog_detached),
	AIF_FACT(struct aif_counters, step_overruns),
	AIF_FACT(struct aif_counters, late_wakeups),
	AIF_FACT(struct aif_counters, chunks),
	AIF_FACT(struct aif_counters, transfer_bytes),
	AIF_FACT(struct aif_counters, over_budget),
}, aif_gauge_facts[] = {
	AIF_FACT(struct aif_gauges, files),
	AIF_FACT(struct aif_gauges, clients),
	AIF_FACT(struct aif_gauges, services),
	AIF_FACT(struct aif_gauges, executors),
	AIF_FACT(struct aif_gauges, devices),
	AIF_FACT(struct aif_gauges, tenants),
	AIF_FACT(struct aif_gauges, buffers),
	AIF_FACT(struct aif_gauges, grants),
	AIF_FACT(struct aif_gauges, views),
	AIF_FACT(struct aif_gauges, buffer_bytes),
	AIF_FACT(struct aif_gauges, held_bytes),
	AIF_FACT(struct aif_gauges, pinned_bytes),
	AIF_FACT(struct aif_gauges, quarantined_bytes),
	AIF_FACT(struct aif_gauges, mapped_bytes),
};

static int aif_counter_get(void *data, u64 *val)
{
	const struct aif_fact *fact = data;
	int cpu;

	*val = 0;
	for_each_possible_cpu(cpu) {
		void *counters = per_cpu_ptr(&aif_counters, cpu);

		*val += READ_ONCE(*(u64 *)(counters + fact->offset));
	}
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(aif_counter_fops, aif_counter_get, NULL, "%llu\n");

static int aif_gauge_get(void *data, u64 *val)
{
	const struct aif_fact *fact = data;

	*val = atomic64_read((void *)&aif_gauges + fact->offset);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(aif_gauge_fops, aif_gauge_get, NULL, "%llu\n");

static void aif_debugfs_add(const char *dir, const struct aif_fact *facts, size_t count,
			    const struct file_operations *fops)
{
	struct dentry *d = debugfs_create_dir(dir, aif_debugfs);
	size_t i;

	for (i = 0; i < count; i++)
		debugfs_create_file_unsafe(facts[i].name, 0444, d, (void *)&facts[i], fops);
}

/* A kernel without debugfs does without. */
void aif_debugfs_init(void)
{
	aif_debugfs = debugfs_create_dir("aif", NULL);
	aif_debugfs_add("counters", aif_counter_facts, ARRAY_SIZE(aif_counter_facts),
			&aif_counter_fops);
	aif_debugfs_add("alive", aif_gauge_facts, ARRAY_SIZE(aif_gauge_facts), &aif_gauge_fops);
	aif_debugfs_engines = debugfs_create_dir("engines", aif_debugfs);
}

/* A folder for an engine's own facts. */
struct dentry *aif_debugfs_engine(const char *name)
{
	return debugfs_create_dir(name, aif_debugfs_engines);
}

void aif_debugfs_fini(void)
{
	debugfs_remove(aif_debugfs);
}
