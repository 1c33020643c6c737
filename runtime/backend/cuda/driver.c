// SPDX-License-Identifier: MIT
#include "runtime/backend/cuda/driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#define ASK_VERSION 12000	/* the calls as CUDA 12 has them; every later driver does, too */

/* The second form came with CUDA 12 and only adds @status. */
typedef int get_proc_fn(const char *name, void **at, int version, uint64_t flags, int *status);

static void *look_up(get_proc_fn *get, const char *name)
{
	void *at = NULL;
	int status = 0;

	return get(name, &at, ASK_VERSION, 0, &status) ? NULL : at;
}

int aif_cuda_driver_load(struct aif_cuda_driver *d, char *why, size_t why_bytes)
{
	get_proc_fn *get;

	d->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!d->library) {
		snprintf(why, why_bytes, "no NVIDIA driver: %s", dlerror());
		return -ENODEV;
	}
	get = (get_proc_fn *)dlsym(d->library, "cuGetProcAddress_v2");
	if (!get)
		get = (get_proc_fn *)dlsym(d->library, "cuGetProcAddress");
	if (!get) {
		snprintf(why, why_bytes, "the NVIDIA driver is too old: it lacks cuGetProcAddress");
		return -ENODEV;
	}
#define BIND(name, args)								\
	d->name = (int (*) args)look_up(get, "cu" #name);				\
	if (!d->name) {									\
		snprintf(why, why_bytes, "the NVIDIA driver lacks cu" #name);		\
		return -ENODEV;								\
	}
	AIF_CUDA_CALLS(BIND)
#undef BIND
	d->has_graphs = 1;
#define BIND(name, args)								\
	d->name = (int (*) args)look_up(get, "cu" #name);				\
	d->has_graphs = d->has_graphs && d->name;
	AIF_CUDA_GRAPH_CALLS(BIND)
#undef BIND
	return 0;
}
