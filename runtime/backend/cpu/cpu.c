// SPDX-License-Identifier: MIT
#include "runtime/backend/cpu/cpu.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/backend/cpu/team.h"
#include "runtime/backend/opts.h"

#define ALIGN 64
#define WEIGHT_DIM_MAX (1u << 24)
#define SEQLEN_MAX (1u << 20)
#define HEAD_DIM_MAX (1u << 12)

static int open_on(const struct aif_host_ops *host, unsigned int threads, struct aif_dev **dev)
{
	struct aif_dev *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->host = host;
	d->threads = threads;
	snprintf(d->description, sizeof(d->description), "%s, %u thread%s", host->name, threads,
		 threads == 1 ? "" : "s");
	*dev = d;
	return 0;
}

static int ref_open(const struct aif_dev_opts *opts, struct aif_dev **dev)
{
	struct aif_dev_opts o;
	int err = aif_opts_copy(&o, sizeof(o), opts);

	if (err)
		return err;
	return o.index ? -ENODEV : open_on(&aif_host_ref, 1, dev);
}

static int cpu_open(const struct aif_dev_opts *opts, struct aif_dev **dev)
{
	unsigned int threads = aif_cpu_allowed();
	const struct aif_host_ops *host;
	struct aif_dev_opts o;
	int err = aif_opts_copy(&o, sizeof(o), opts);

	if (err)
		return err;
	if (o.index)
		return -ENODEV;
	if (!o.isa || !*o.isa)
		o.isa = getenv("AIF_CPU_ISA");
	err = aif_host_select(o.isa, &host);
	if (err)
		return err;
	if (o.threads && o.threads < threads)
		threads = o.threads;
	return open_on(host, threads, dev);
}

static void cpu_close(struct aif_dev *dev)
{
	free(dev);
}

static const char *cpu_describe(const struct aif_dev *dev)
{
	return dev->description;
}

static void *alloc_aligned(size_t bytes)
{
	if (bytes > SIZE_MAX - ALIGN)
		return NULL;
	bytes = bytes ? (bytes + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
	return aligned_alloc(ALIGN, bytes);
}

/* A memory's own bytes follow its header; wrapped ones lie elsewhere. */
struct owned_mem {
	alignas(ALIGN) struct aif_mem mem;
	alignas(ALIGN) char bytes[];
};

static int cpu_mem_alloc(struct aif_dev *dev, size_t bytes, struct aif_mem **mem)
{
	struct owned_mem *m = NULL;

	if (bytes <= PTRDIFF_MAX - sizeof(*m))
		m = alloc_aligned(sizeof(*m) + bytes);
	if (!m)
		return -ENOMEM;
	m->mem = (struct aif_mem){ .base = m->bytes, .bytes = bytes };
	memset(m->bytes, 0, bytes);
	*mem = &m->mem;
	return 0;
}

static int cpu_mem_wrap(struct aif_dev *dev, void *host, size_t bytes, struct aif_mem **mem)
{
	struct aif_mem *m = malloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	*m = (struct aif_mem){ .base = host, .bytes = bytes };
	*mem = m;
	return 0;
}

static void cpu_mem_free(struct aif_mem *mem)
{
	free(mem);
}

static void *cpu_mem_host(const struct aif_mem *mem)
{
	return mem->base;
}

static int cpu_mem_write(struct aif_stream *s, struct aif_mem *mem, uint64_t offset,
			 const void *host, size_t bytes)
{
	if (offset > mem->bytes || bytes > mem->bytes - offset)
		return -ERANGE;
	if (bytes)
		memcpy((char *)mem->base + offset, host, bytes);
	return 0;
}

static int cpu_mem_read(struct aif_stream *s, const struct aif_mem *mem, uint64_t offset,
			void *host, size_t bytes)
{
	if (offset > mem->bytes || bytes > mem->bytes - offset)
		return -ERANGE;
	if (bytes)
		memcpy(host, (const char *)mem->base + offset, bytes);
	return 0;
}

static void cpu_weight_free(struct aif_weight *w)
{
	if (!w)
		return;
	free(w->packed);
	free(w);
}

static int cpu_weight_create(struct aif_dev *dev, const float *host, uint32_t n, uint32_t k,
			     struct aif_weight **weight)
{
	struct aif_weight *w;

	if (!n || !k || n > WEIGHT_DIM_MAX || k > WEIGHT_DIM_MAX)
		return -EINVAL;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct aif_weight){ .n = n, .k = k, .host = dev->host };
	w->packed = alloc_aligned(dev->host->gemm_packed_floats(n, k) * sizeof(float));
	if (!w->packed) {
		cpu_weight_free(w);
		return -ENOMEM;
	}
	dev->host->gemm_pack(w->packed, host, n, k);
	*weight = w;
	return 0;
}

static void cpu_stream_free(struct aif_stream *s)
{
	if (!s)
		return;
	aif_team_free(s->team);
	free(s);
}

static int cpu_stream_create(struct aif_dev *dev, const struct aif_stream_opts *opts,
			     struct aif_stream **stream)
{
	struct aif_stream_opts o;
	struct aif_stream *s;
	int err = aif_opts_copy(&o, sizeof(o), opts);

	if (err)
		return err;
	if (o.max_seqlen > SEQLEN_MAX || o.max_head_dim > HEAD_DIM_MAX)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->host = dev->host;
	s->max_seqlen = o.max_seqlen ? o.max_seqlen : 512;
	s->max_head_dim = o.max_head_dim ? o.max_head_dim : 128;
	err = aif_team_create(dev->threads,
			      s->host->attention_scratch(s->max_seqlen, s->max_head_dim),
			      &s->team);
	if (err) {
		cpu_stream_free(s);
		return err;
	}
	*stream = s;
	return 0;
}

/* Every operator had finished when its call returned. */
static int cpu_stream_sync(struct aif_stream *s)
{
	return 0;
}

#define HOST_BACKEND(backend_name, open)		\
	{						\
		.size = sizeof(struct aif_backend),	\
		.version = AIF_BACKEND_VERSION,		\
		.name = backend_name,			\
		.dev_open = open,			\
		.dev_close = cpu_close,			\
		.dev_describe = cpu_describe,		\
		.mem_alloc = cpu_mem_alloc,		\
		.mem_wrap = cpu_mem_wrap,		\
		.mem_free = cpu_mem_free,		\
		.mem_host = cpu_mem_host,		\
		.mem_write = cpu_mem_write,		\
		.mem_read = cpu_mem_read,		\
		.weight_create = cpu_weight_create,	\
		.weight_free = cpu_weight_free,		\
		.stream_create = cpu_stream_create,	\
		.stream_sync = cpu_stream_sync,		\
		.stream_free = cpu_stream_free,		\
		.ops = &aif_cpu_ops,			\
	}

const struct aif_backend aif_backend_cpu = HOST_BACKEND("cpu", cpu_open);
const struct aif_backend aif_backend_ref = HOST_BACKEND("ref", ref_open);
