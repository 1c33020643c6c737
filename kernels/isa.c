// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/host.h"

extern const struct aif_host_ops aif_host_portable;

#if defined(__x86_64__)
extern const struct aif_host_ops aif_host_avx512, aif_host_avx2;

/* These ask the system too: registers that it does not save count as missing. */
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

static bool always(void)
{
	return true;
}

/* Best first. */
static const struct isa {
	const char *name;
	bool (*has)(void);
	const struct aif_host_ops *ops;
} isas[] = {
#if defined(__x86_64__)
	{ "avx512", has_avx512, &aif_host_avx512 },
	{ "avx2", has_avx2, &aif_host_avx2 },
#endif
	{ "portable", always, &aif_host_portable },
};

int aif_host_select(const char *name, const struct aif_host_ops **ops)
{
	bool any = !name || !*name;

	for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++) {
		if (!any && strcmp(isas[i].name, name))
			continue;
		if (isas[i].has()) {
			*ops = isas[i].ops;
			return 0;
		}
		if (!any)
			return -EOPNOTSUPP;
	}
	return -EINVAL;
}
