// SPDX-License-Identifier: MIT
/*
 * Devices, memory, weights and streams over the CUDA driver.
 *
 * A device is a primary context, the kernels of every operator, and a stream for what
 * must be done when a call returns (zeroing, uploads).  Calls may come from any thread,
 * so each that needs the context makes it current first.
 */
#include "runtime/backend/cuda/cuda.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/backend/cuda/image.h"
#include "runtime/backend/opts.h"

#define DRIVER_FLOOR 13000	/* of the CUDA version whose compiler made the kernels */
#define DRIVER_FLOOR_NAME "13.0 (580)"
#define WEIGHT_DIM_MAX (1u << 24)
#define SEQLEN_MAX (1u << 20)
#define STAGE_ALIGNMENT 64u	/* divides AIF_CUDA_STAGING */

static __thread char why[AIF_CUDA_WHY_MAX];

const char *aif_cuda_why(void)
{
	return why;
}

int aif_cuda_refuse(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return err;
}

/* Faults of a kernel or of the device: nothing in this process works any more. */
static bool is_sticky(int result)
{
	static const int all[] = { 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719,
				   721, 810, 911 };
	size_t i = 0, n = sizeof(all) / sizeof(all[0]);

	while (i < n && all[i] != result)
		i++;
	return i < n;
}

/* The first reason is the one that stands. */
void aif_cuda_give_up(struct aif_dev *dev)
{
	if (!atomic_exchange(&dev->failing, true)) {
		memcpy(dev->fault, why, sizeof(dev->fault));
		atomic_store(&dev->dead, true);
	}
}

static int errno_of(int result)
{
	switch (result) {
	case AIF_CUDA_OUT_OF_MEMORY:
		return -ENOMEM;
	case AIF_CUDA_NO_DEVICE:
		return -ENODEV;
	case AIF_CUDA_INVALID_IMAGE:
	case AIF_CUDA_NO_BINARY_FOR_GPU:
	case AIF_CUDA_UNSUPPORTED_PTX_VERSION:
		return -EOPNOTSUPP;
	case AIF_CUDA_ALREADY_REGISTERED:
		return -EEXIST;
	}
	return -EIO;
}

int aif_cuda_result(struct aif_dev *dev, const char *call, int result)
{
	const char *name = NULL;

	if (!result)
		return 0;
	if (dev->d.GetErrorName(result, &name) || !name)
		name = "an unknown error";
	aif_cuda_refuse(0, "%s: %s (%d)", call, name, result);
	if (is_sticky(result))
		aif_cuda_give_up(dev);
	return errno_of(result);
}

int aif_cuda_enter(struct aif_dev *dev)
{
	if (dev->dead)
		return aif_cuda_refuse(-EIO, "the device has failed before: %s", dev->fault);
	return CALL(dev, CtxSetCurrent, dev->context);
}

/* Whose wait failed may still be running: nothing that it may use is freed any more. */
int aif_cuda_wait(struct aif_dev *dev, aif_cuda_stream stream)
{
	int err = aif_cuda_enter(dev);

	if (!err)
		err = CALL(dev, StreamSynchronize, stream);
	if (err)
		aif_cuda_give_up(dev);
	return err;
}

/* ---- opening ---- */

static int read_precision(struct aif_dev *dev, const char *precision)
{
	static const struct {
		const char *name;
		enum aif_cuda_storage storage;
		int tf32;
	} all[] = {
		{ "fp32", AIF_CUDA_F32, 0 }, { "tf32", AIF_CUDA_F32, 1 },
		{ "bf16", AIF_CUDA_BF16, 0 }, { "fp16", AIF_CUDA_F16, 0 },
	};

	if (!precision || !*precision)
		precision = getenv("AIF_CUDA_PRECISION");
	if (!precision || !*precision)
		precision = all[0].name;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(precision, all[i].name))
			continue;
		dev->precision = all[i].name;
		dev->target.storage = all[i].storage;
		dev->target.tf32 = all[i].tf32;
		return 0;
	}
	return aif_cuda_refuse(-EINVAL, "precision '%s': fp32, tf32, bf16 or fp16", precision);
}

static int read_wait(struct aif_dev *dev, const char *wait)
{
	if (!wait || !*wait)
		wait = getenv("AIF_CUDA_WAIT");
	dev->sleeps = wait && !strcmp(wait, "sleep");
	if (!dev->sleeps && wait && *wait && strcmp(wait, "spin"))
		return aif_cuda_refuse(-EINVAL, "wait '%s': spin or sleep", wait);
	return 0;
}

static int read_graphs(struct aif_dev *dev, const char *graphs)
{
	if (!graphs || !*graphs)
		graphs = getenv("AIF_CUDA_GRAPHS");
	dev->graphs = !graphs || strcmp(graphs, "off");
	if (dev->graphs && graphs && *graphs && strcmp(graphs, "on"))
		return aif_cuda_refuse(-EINVAL, "graphs '%s': on or off", graphs);
	return 0;
}

static int check_driver(struct aif_dev *dev)
{
	int version = 0, err = dev->d.Init(0);

	if (err == AIF_CUDA_NO_DEVICE)
		return aif_cuda_refuse(-ENODEV, "the NVIDIA driver finds no device");
	if (err == AIF_CUDA_SYSTEM_DRIVER_MISMATCH)
		return aif_cuda_refuse(-ENODEV, "the NVIDIA driver's library and kernel module do not match (803)");
	if (err)
		return aif_cuda_result(dev, "cuInit", err);
	err = CALL(dev, DriverGetVersion, &version);
	if (!err && version < DRIVER_FLOOR)
		return aif_cuda_refuse(-ENODEV, "the NVIDIA driver is of CUDA %d.%d, needed is %s or newer",
				       version / 1000, version % 1000 / 10, DRIVER_FLOOR_NAME);
	return err;
}

int aif_cuda_start(struct aif_dev *dev)
{
	int err = aif_cuda_driver_load(&dev->d, why, sizeof(why));

	return err ? err : check_driver(dev);
}

int aif_cuda_count(struct aif_dev *dev, int *count)
{
	int err = CALL(dev, DeviceGetCount, count);

	return err || *count ? err : aif_cuda_refuse(-ENODEV, "the NVIDIA driver finds no device");
}

static bool is_called(const struct aif_cuda_found *found, const char *name)
{
	return !strcasecmp(found->id, name) || !strcasecmp(found->pci, name);
}

/* By the name in @opts or AIF_CUDA_DEVICE, else by the index in @opts. */
static int choose_device(struct aif_dev *dev, const struct aif_dev_opts *opts,
			 struct aif_cuda_found *found)
{
	const char *name = opts->device && *opts->device ? opts->device : getenv("AIF_CUDA_DEVICE");
	int count = 0, index = opts->index, err = aif_cuda_count(dev, &count);
	bool named = name && *name;

	if (err)
		return err;
	if (!named && index >= count)
		return aif_cuda_refuse(-ENODEV, "no CUDA device %d: there are %d", index, count);
	for (int i = named ? 0 : index; i < count; i++) {
		err = aif_cuda_look(dev, i, &dev->device, found);
		if (err || !named || is_called(found, name))
			return err;
	}
	return aif_cuda_refuse(-ENODEV, "no CUDA device is called '%s'", name);
}

static int describe(struct aif_dev *dev, const struct aif_cuda_found *found)
{
	int processors = 0;
	int err = CALL(dev, DeviceGetAttribute, &processors, AIF_CUDA_ATTR_PROCESSORS, dev->device);

	if (!err)
		err = CALL(dev, DeviceGetAttribute, &dev->reads_only,
			   AIF_CUDA_ATTR_READ_ONLY_REGISTER, dev->device);
	dev->target.processors = processors;
	dev->graphs = dev->graphs && dev->d.has_graphs;
	dev->target.sm = 10 * found->major + found->minor;
	memcpy(dev->id, found->id, sizeof(dev->id));
	snprintf(dev->description, sizeof(dev->description), "%s, sm_%d%d, driver of CUDA %d.%d, %s",
		 found->name, found->major, found->minor, found->version / 1000,
		 found->version % 1000 / 10, dev->precision);
	return err;
}

/*
 * What an image has.  @from: the architecture that first has it; @shared: dynamic shared
 * memory of a launch, where that is more than a driver grants unasked
 */
struct kernel_row {
	const char *image, *kernel;
	uint32_t from, shared;
};

static int load_kernel(struct aif_dev *dev, const struct kernel_row *row, aif_cuda_module module)
{
	size_t i = 0;
	int err;

	while (dev->kernels[i].name)
		i++;
	dev->kernels[i].name = row->kernel;
	err = CALL(dev, ModuleGetFunction, &dev->kernels[i].f, module, row->kernel);
	if (!err && row->shared)
		err = CALL(dev, FuncSetAttribute, dev->kernels[i].f,
			   AIF_CUDA_FUNC_MAX_DYNAMIC_SHARED, row->shared);
	return err;
}

static int load_module(struct aif_dev *dev, const struct aif_cuda_image *image, size_t slot)
{
#define EACH_STORAGE(image, op)								\
	{ image, op "_f32", 0, 0 }, { image, op "_bf16", 0, 0 }, { image, op "_f16", 0, 0 }
#define EACH_MMA(op, tile)								\
	{ "gemm", op "_tf32", 80, AIF_CUDA_MMA_SHARED(tile) },				\
	{ "gemm", op "_bf16", 80, AIF_CUDA_MMA_SHARED(tile) },				\
	{ "gemm", op "_f16", 80, AIF_CUDA_MMA_SHARED(tile) }
#define EACH_HALF(op)									\
	{ "attention", op "_bf16", 80, 0 }, { "attention", op "_f16", 80, 0 }
	static const struct kernel_row all[] = {
		EACH_STORAGE("attention", "attention"), EACH_HALF("attention_mma_32"),
		EACH_HALF("attention_mma_64"), EACH_HALF("attention_mma_128"),
		EACH_STORAGE("embed", "embed"), EACH_STORAGE("embed", "embed_each"),
		EACH_STORAGE("gemm", "gemm_plain"), EACH_MMA("gemm_mma", AIF_CUDA_GEMM_TILE),
		EACH_MMA("gemm_mma_wide", AIF_CUDA_GEMM_WIDE),
		EACH_STORAGE("layernorm", "layernorm"), EACH_STORAGE("pool", "pool"),
	};
	int err;

	if (aif_cuda_image_check(image))
		return aif_cuda_refuse(-EBADMSG, "the CUDA kernels of '%s' in this program are damaged",
				       image->name);
	err = CALL(dev, ModuleLoadData, &dev->modules[slot], image->begin);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !err; i++)
		if (!strcmp(all[i].image, image->name) && dev->target.sm >= all[i].from)
			err = load_kernel(dev, &all[i], dev->modules[slot]);
	return err;
}

static int load_modules(struct aif_dev *dev)
{
	int err = 0;

	for (size_t i = 0; aif_cuda_images[i].name && !err; i++)
		err = load_module(dev, &aif_cuda_images[i], i);
	return err;
}

static int open_device(struct aif_dev *dev, const struct aif_dev_opts *opts)
{
	struct aif_cuda_found found = { 0 };
	int err;

	if (!aif_cuda_images[0].name)
		return aif_cuda_refuse(-ENODEV, "this program was built without CUDA kernels (make cuda)");
	err = read_precision(dev, opts->precision);
	if (!err)
		err = read_wait(dev, opts->wait);
	if (!err)
		err = read_graphs(dev, opts->graphs);
	if (!err)
		err = aif_cuda_start(dev);
	if (!err)
		err = choose_device(dev, opts, &found);
	if (!err)
		err = describe(dev, &found);
	if (!err)
		err = CALL(dev, DevicePrimaryCtxRetain, &dev->context, dev->device);
	if (!err)
		err = aif_cuda_enter(dev);
	if (!err)
		err = load_modules(dev);
	return err ? err : CALL(dev, StreamCreate, &dev->loader, AIF_CUDA_STREAM_NON_BLOCKING);
}

/* What fails here has nobody to tell, and the reason that stands is the first. */
static void cuda_close(struct aif_dev *dev)
{
	bool works = dev->context && !dev->dead && !dev->d.CtxSetCurrent(dev->context);

	if (works)
		aif_cuda_stages_free(dev);
	if (works && dev->loader)
		dev->d.StreamDestroy(dev->loader);
	for (size_t i = 0; i < AIF_CUDA_MODULES_MAX && works; i++)
		if (dev->modules[i])
			dev->d.ModuleUnload(dev->modules[i]);
	if (dev->context)
		dev->d.DevicePrimaryCtxRelease(dev->device);
	pthread_mutex_destroy(&dev->uploading);
	free(dev);
}

static int cuda_open(const struct aif_dev_opts *opts, struct aif_dev **dev)
{
	struct aif_dev_opts o;
	struct aif_dev *d;
	int err = aif_opts_copy(&o, sizeof(o), opts);

	if (err)
		return aif_cuda_refuse(err, "options of a size that is not known");
	d = calloc(1, sizeof(*d));
	if (!d)
		return aif_cuda_refuse(-ENOMEM, "no memory");
	pthread_mutex_init(&d->uploading, NULL);
	err = open_device(d, &o);
	if (err)
		cuda_close(d);
	else
		*dev = d;
	return err;
}

static const char *cuda_describe(const struct aif_dev *dev)
{
	return dev->description;
}

static const char *cuda_id(const struct aif_dev *dev)
{
	return dev->id;
}

static uint32_t cuda_activation(const struct aif_dev *dev)
{
	return aif_cuda_dtype(dev);
}

/* ---- memory ---- */

static struct cuda_mem *of(const struct aif_mem *mem)
{
	return (struct cuda_mem *)mem;
}

static aif_cuda_ptr at(const struct aif_mem *mem, uint64_t offset)
{
	return (aif_cuda_ptr)mem->base + offset;
}

static struct cuda_mem *new_mem(struct aif_dev *dev, size_t bytes)
{
	struct cuda_mem *m = calloc(1, sizeof(*m));

	if (m) {
		m->dev = dev;
		m->mem.bytes = bytes;
	}
	return m;
}

static int alloc_bytes(struct aif_dev *dev, size_t bytes, aif_cuda_ptr *at)
{
	int err = aif_cuda_enter(dev);

	return err ? err : CALL(dev, MemAlloc, at, bytes ? bytes : 1);
}

static int zero_bytes(struct aif_dev *dev, aif_cuda_ptr at, size_t bytes)
{
	int err = bytes ? CALL(dev, MemsetD8Async, at, 0, bytes, dev->loader) : 0;

	return err ? err : aif_cuda_wait(dev, dev->loader);
}

/* Nothing enqueued uses it any more. */
static void free_bytes(struct aif_dev *dev, aif_cuda_ptr at)
{
	if (at && !dev->dead && !dev->d.CtxSetCurrent(dev->context))
		dev->d.MemFree(at);
}

/* @from: what is to be there, NULL: zeros */
static int make_bytes(struct aif_dev *dev, const struct aif_cuda_source *from, size_t bytes,
		      aif_cuda_ptr *at)
{
	int err = alloc_bytes(dev, bytes, at);

	if (err)
		return err;
	err = from ? aif_cuda_upload(dev, *at, from) : zero_bytes(dev, *at, bytes);
	if (err) {
		free_bytes(dev, *at);
		*at = 0;
	}
	return err;
}

static int make_mem(struct aif_dev *dev, const struct aif_cuda_source *from, size_t bytes,
		    struct aif_mem **mem)
{
	struct cuda_mem *m = new_mem(dev, bytes);
	aif_cuda_ptr where;
	int err;

	if (!m)
		return aif_cuda_refuse(-ENOMEM, "no memory");
	err = make_bytes(dev, from, bytes, &where);
	if (err) {
		free(m);
		return err;
	}
	m->mem.base = (void *)where;
	*mem = &m->mem;
	return 0;
}

static int cuda_mem_alloc(struct aif_dev *dev, size_t bytes, struct aif_mem **mem)
{
	return make_mem(dev, NULL, bytes, mem);
}

static int cuda_mem_constant(struct aif_dev *dev, const void *host, size_t bytes,
			     struct aif_mem **mem)
{
	struct aif_cuda_source from = aif_cuda_source_bytes(host, bytes);

	return make_mem(dev, &from, bytes, mem);
}

static int register_host(struct cuda_mem *m, unsigned int flags)
{
	struct aif_dev *dev = m->dev;
	aif_cuda_ptr where;
	int err = aif_cuda_enter(dev);

	if (!err)
		err = CALL(dev, MemHostRegister, m->host, m->mem.bytes,
			   AIF_CUDA_REGISTER_DEVICEMAP | flags);
	if (err)
		return err;
	err = CALL(dev, MemHostGetDevicePointer, &where, m->host, 0);
	if (err) {
		dev->d.MemHostUnregister(m->host);
		return err;
	}
	m->mem.base = (void *)where;
	return 0;
}

static int wrap(struct aif_dev *dev, void *host, size_t bytes, unsigned int flags,
		struct aif_mem **mem)
{
	struct cuda_mem *m = new_mem(dev, bytes);
	int err;

	if (!m)
		return aif_cuda_refuse(-ENOMEM, "no memory");
	if ((uintptr_t)host % sizeof(float)) {
		free(m);
		return aif_cuda_refuse(-EINVAL, "memory at %p is not aligned to 4 bytes", host);
	}
	m->host = host;
	err = bytes ? register_host(m, flags) : 0;
	if (err) {
		free(m);
		return err;
	}
	*mem = &m->mem;
	return 0;
}

static int cuda_mem_wrap(struct aif_dev *dev, void *host, size_t bytes, struct aif_mem **mem)
{
	return wrap(dev, host, bytes, 0, mem);
}

static int cuda_mem_wrap_input(struct aif_dev *dev, const void *host, size_t bytes,
			       struct aif_mem **mem)
{
	if (!dev->reads_only)
		return aif_cuda_refuse(-EOPNOTSUPP, "the device takes no memory that is mapped for reading only");
	return wrap(dev, (void *)host, bytes, AIF_CUDA_REGISTER_READ_ONLY, mem);
}

static void cuda_mem_free(struct aif_mem *mem)
{
	struct cuda_mem *m = of(mem);

	if (!m)
		return;
	if (!m->host)
		free_bytes(m->dev, at(mem, 0));
	else if (m->mem.bytes && !m->dev->dead && !m->dev->d.CtxSetCurrent(m->dev->context))
		m->dev->d.MemHostUnregister(m->host);
	free(m);
}

static void *cuda_mem_host(const struct aif_mem *mem)
{
	return of(mem)->host;
}

static unsigned int cuda_mem_pins(const struct aif_mem *mem)
{
	return of(mem)->host && mem->bytes;
}

/* A few bytes go by pinned memory, which the device reads without the driver's help. */
static const void *stage(struct aif_stream *s, const void *host, size_t bytes)
{
	void *to = s->shared->staging + s->staged;

	if (bytes > AIF_CUDA_STAGING - s->staged)
		return host;
	s->staged += (bytes + STAGE_ALIGNMENT - 1) / STAGE_ALIGNMENT * STAGE_ALIGNMENT;
	return memcpy(to, host, bytes);
}

static int cuda_mem_write(struct aif_stream *s, struct aif_mem *mem, uint64_t offset,
			  const void *host, size_t bytes)
{
	int err;

	if (offset > mem->bytes || bytes > mem->bytes - offset)
		return -ERANGE;
	err = aif_cuda_step_flush(s);
	if (!err)
		err = aif_cuda_enter(s->dev);
	if (err || !bytes)
		return err;
	host = stage(s, host, bytes);
	s->flagged = false;
	return CALL(s->dev, MemcpyHtoDAsync, at(mem, offset), host, bytes, s->stream);
}

static int cuda_mem_read(struct aif_stream *s, const struct aif_mem *mem, uint64_t offset,
			 void *host, size_t bytes)
{
	int err;

	if (offset > mem->bytes || bytes > mem->bytes - offset)
		return -ERANGE;
	err = aif_cuda_step_flush(s);
	if (!err)
		err = aif_cuda_enter(s->dev);
	if (err || !bytes)
		return err;
	s->flagged = false;
	return CALL(s->dev, MemcpyDtoHAsync, host, at(mem, offset), bytes, s->stream);
}

/* ---- weights ---- */

static int cuda_weight_create(struct aif_dev *dev, const float *host, uint32_t n, uint32_t k,
			      struct aif_weight **weight)
{
	struct aif_cuda_source from = aif_cuda_source_floats(host, (size_t)n * k,
							     dev->target.storage);
	struct aif_weight *w;
	int err;

	if (!n || !k || n > WEIGHT_DIM_MAX || k > WEIGHT_DIM_MAX)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return aif_cuda_refuse(-ENOMEM, "no memory");
	*w = (struct aif_weight){ .dev = dev, .n = n, .k = k };
	err = make_bytes(dev, &from, from.count * from.element, &w->at);
	if (err)
		free(w);
	else
		*weight = w;
	return err;
}

static void cuda_loaded(struct aif_dev *dev)
{
	pthread_mutex_lock(&dev->uploading);
	if (!dev->dead && !dev->d.CtxSetCurrent(dev->context))
		aif_cuda_stages_free(dev);
	pthread_mutex_unlock(&dev->uploading);
}

static void cuda_weight_free(struct aif_weight *w)
{
	if (!w)
		return;
	free_bytes(w->dev, w->at);
	free(w);
}

/* ---- streams ---- */

static void cuda_stream_free(struct aif_stream *s)
{
	if (!s)
		return;
	aif_cuda_graphs_free(s);
	free_bytes(s->dev, s->partial);
	free_bytes(s->dev, s->arrived);
	free_bytes(s->dev, s->began);
	aif_cuda_finish_free(s);
	if (s->stream && !s->dev->dead && !s->dev->d.CtxSetCurrent(s->dev->context))
		s->dev->d.StreamDestroy(s->stream);
	free(s);
}

static int set_up_stream(struct aif_stream *s)
{
	struct aif_dev *dev = s->dev;
	int err = aif_cuda_enter(dev);

	if (!err)
		err = CALL(dev, StreamCreate, &s->stream, AIF_CUDA_STREAM_NON_BLOCKING);
	if (!err)
		err = alloc_bytes(dev, AIF_CUDA_PARTIALS * sizeof(float), &s->partial);
	if (!err)
		err = make_bytes(dev, NULL, AIF_CUDA_COUNTERS * sizeof(uint32_t), &s->arrived);
	if (!err)
		err = alloc_bytes(dev, sizeof(uint64_t), &s->began);
	if (!err)
		err = aif_cuda_finish_create(s);
	return err ? err : aif_cuda_graphs_create(s);
}

static int cuda_stream_create(struct aif_dev *dev, const struct aif_stream_opts *opts,
			      struct aif_stream **stream)
{
	struct aif_stream_opts o;
	struct aif_stream *s;
	int err = aif_opts_copy(&o, sizeof(o), opts);

	if (err)
		return err;
	if (o.max_seqlen > SEQLEN_MAX || o.max_head_dim > AIF_CUDA_HEAD_DIM_MAX)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return aif_cuda_refuse(-ENOMEM, "no memory");
	s->dev = dev;
	s->max_seqlen = o.max_seqlen ? o.max_seqlen : 512;
	err = set_up_stream(s);
	if (err)
		cuda_stream_free(s);
	else
		*stream = s;
	return err;
}

static int cuda_stream_sync(struct aif_stream *s)
{
	int err = aif_cuda_step_end(s), done = aif_cuda_finish(s);

	return err ? err : done;
}

static uint64_t cuda_stream_device_ns(const struct aif_stream *s)
{
	return s->device_ns;
}

const struct aif_backend aif_backend_cuda = {
	.size = sizeof(struct aif_backend),
	.version = AIF_BACKEND_VERSION,
	.name = "cuda",
	.dev_open = cuda_open,
	.dev_close = cuda_close,
	.dev_describe = cuda_describe,
	.mem_alloc = cuda_mem_alloc,
	.mem_wrap = cuda_mem_wrap,
	.mem_free = cuda_mem_free,
	.mem_host = cuda_mem_host,
	.mem_write = cuda_mem_write,
	.mem_read = cuda_mem_read,
	.weight_create = cuda_weight_create,
	.weight_free = cuda_weight_free,
	.stream_create = cuda_stream_create,
	.stream_sync = cuda_stream_sync,
	.stream_free = cuda_stream_free,
	.ops = &aif_cuda_ops,
	.dev_why = aif_cuda_why,
	.dev_activation = cuda_activation,
	.mem_constant = cuda_mem_constant,
	.dev_id = cuda_id,
	.stream_device_ns = cuda_stream_device_ns,
	.mem_wrap_input = cuda_mem_wrap_input,
	.mem_pins = cuda_mem_pins,
	.dev_loaded = cuda_loaded,
	.step_begin = aif_cuda_step_begin,
};
