// SPDX-License-Identifier: GPL-2.0-only
/* What debugfs says is what was counted, under the right name, on every processor. */
#include <linux/mman.h>

#include "aif_fixture.h"

#define MOUNTED	"/sys/kernel/debug/aif/"

struct fact_row {
	const char *name;
	size_t offset;
};

#define COUNTER(name)	{ #name, offsetof(struct aif_counters, name) }
#define GAUGE(name)	{ #name, offsetof(struct aif_gauges, name) }

static const struct fact_row counter_rows[] = {
	COUNTER(requests),
	COUNTER(answered),
	COUNTER(descriptor_bytes),
	COUNTER(wakeups),
	COUNTER(fetched),
	COUNTER(stale_commits),
	COUNTER(recoveries),
	COUNTER(owner_dead),
	COUNTER(poisoned),
	COUNTER(executor_deaths),
	COUNTER(watchdog_detached),
	COUNTER(step_overruns),
	COUNTER(late_wakeups),
	COUNTER(chunks),
	COUNTER(transfer_bytes),
	COUNTER(over_budget),
};

static const struct fact_row gauge_rows[] = {
	GAUGE(files),
	GAUGE(clients),
	GAUGE(services),
	GAUGE(executors),
	GAUGE(devices),
	GAUGE(tenants),
	GAUGE(buffers),
	GAUGE(grants),
	GAUGE(views),
	GAUGE(buffer_bytes),
	GAUGE(held_bytes),
	GAUGE(pinned_bytes),
	GAUGE(quarantined_bytes),
	GAUGE(mapped_bytes),
};

KUNIT_ARRAY_PARAM_DESC(counter_rows, counter_rows, name);
KUNIT_ARRAY_PARAM_DESC(gauge_rows, gauge_rows, name);

/* A row for each, or a new one is not looked at. */
static_assert(ARRAY_SIZE(counter_rows) * sizeof(u64) == sizeof(struct aif_counters));
static_assert(ARRAY_SIZE(gauge_rows) * sizeof(atomic64_t) == sizeof(struct aif_gauges));

/* The files are read as a process reads them. */
static u64 shown(struct kunit *test, const char *dir, const char *name)
{
	char path[64], text[24] = {};
	struct file *filp;
	unsigned long at;
	loff_t pos = 0;
	ssize_t n;
	u64 value;

	snprintf(path, sizeof(path), MOUNTED "%s/%s", dir, name);
	filp = filp_open(path, O_RDONLY, 0);
	if (IS_ERR(filp))
		kunit_skip(test, "cannot open %s: is debugfs mounted?", path);
	at = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_ANONYMOUS | MAP_PRIVATE, 0);
	n = filp->f_op->read(filp, (char __user *)at, sizeof(text) - 1, &pos);
	filp_close(filp, NULL);
	KUNIT_ASSERT_GT(test, n, 0);
	KUNIT_ASSERT_EQ(test, copy_from_user(text, (char __user *)at, n), 0);
	KUNIT_ASSERT_EQ(test, kstrtou64(text, 10, &value), 0);
	return value;
}

/* Another number on each processor; all of them are added up. */
static u64 count_everywhere(const struct fact_row *row, s64 times)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		u64 *counter = (void *)per_cpu_ptr(&aif_counters, cpu) + row->offset;

		*counter += times * (cpu + 1);
		sum += cpu + 1;
	}
	return sum;
}

static void test_debugfs_counter(struct kunit *test)
{
	const struct fact_row *row = test->param_value;
	u64 before = shown(test, "counters", row->name);
	u64 sum = count_everywhere(row, 1);

	KUNIT_EXPECT_EQ(test, shown(test, "counters", row->name) - before, sum);
	count_everywhere(row, -1);
	KUNIT_EXPECT_EQ(test, shown(test, "counters", row->name), before);
}

static void test_debugfs_gauge(struct kunit *test)
{
	const struct fact_row *row = test->param_value;
	atomic64_t *gauge = (void *)&aif_gauges + row->offset;

	KUNIT_EXPECT_EQ(test, shown(test, "alive", row->name), 0);
	atomic64_add(5, gauge);
	KUNIT_EXPECT_EQ(test, shown(test, "alive", row->name), 5);
	atomic64_sub(5, gauge);
}

static struct kunit_case aif_debugfs_cases[] = {
	KUNIT_CASE_PARAM(test_debugfs_counter, counter_rows_gen_params),
	KUNIT_CASE_PARAM(test_debugfs_gauge, gauge_rows_gen_params),
	{}
};

static struct kunit_suite aif_debugfs_suite = {
	.name = "aif_debugfs",
	.init = aif_fx_init,
	.test_cases = aif_debugfs_cases,
};

kunit_test_suite(aif_debugfs_suite);
