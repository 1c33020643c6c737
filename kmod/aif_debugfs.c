// SPDX-License-Identifier: GPL-2.0-only
/* /sys/kernel/debug/aif: one fact a file. */
#include <linux/debugfs.h>

#include "aif.h"

static struct dentry *aif_debugfs;

static int aif_counter_get(void *data, u64 *val)
{
	size_t offset = (size_t)data;
	int cpu;

	*val = 0;
	for_each_possible_cpu(cpu)
		*val += READ_ONCE(*(u64 *)((void *)per_cpu_ptr(&aif_counters, cpu) + offset));
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(aif_counter_fops, aif_counter_get, NULL, "%llu\n");

static int aif_gauge_get(void *data, u64 *val)
{
	*val = atomic64_read(data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(aif_gauge_fops, aif_gauge_get, NULL, "%llu\n");

int aif_debugfs_init(void)
{
	struct dentry *counters, *alive;

	aif_debugfs = debugfs_create_dir("aif", NULL);
	counters = debugfs_create_dir("counters", aif_debugfs);
	alive = debugfs_create_dir("alive", aif_debugfs);
#define X(name)								\
	debugfs_create_file_unsafe(#name, 0444, counters,		\
		(void *)offsetof(struct aif_counters, name), &aif_counter_fops);
	AIF_COUNTERS(X)
#undef X
#define X(name)								\
	debugfs_create_file_unsafe(#name, 0444, alive, &aif_gauges.name, &aif_gauge_fops);
	AIF_GAUGES(X)
#undef X
	return 0;	/* a kernel without debugfs does without */
}

void aif_debugfs_fini(void)
{
	debugfs_remove(aif_debugfs);
}
