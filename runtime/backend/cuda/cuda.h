/* SPDX-License-Identifier: MIT */
/* cuda.h - what the files of the CUDA backend share; the contract is backend.h. */
#ifndef AIF_BACKEND_CUDA_H
#define AIF_BACKEND_CUDA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kernels/cuda.h"
#include "kernels/host.h"
#include "runtime/backend/backend.h"
#include "runtime/backend/cuda/driver.h"
#include "runtime/backend/cuda/survey.h"

#define AIF_CUDA_KERNELS_MAX 32
#define AIF_CUDA_MODULES_MAX 8
#define AIF_CUDA_WHY_MAX 256
#define AIF_CUDA_STAGES 2
#define AIF_CUDA_PIECE (2u << 20)

/*
 * @piece: AIF_CUDA_PIECE bytes, pinned, from the first upload until loading is over, else NULL
 * @sent:  the device has what was in it
 */
struct aif_cuda_stage {
	void *piece;
	aif_cuda_event sent;
};

struct aif_dev {
	struct aif_cuda_driver d;
	int device;
	aif_cuda_context context;
	aif_cuda_module modules[AIF_CUDA_MODULES_MAX];
	struct {
		const char *name;
		aif_cuda_function f;
	} kernels[AIF_CUDA_KERNELS_MAX];
	struct aif_cuda_target target;
	const char *precision;
	bool sleeps;			/* where it waits for a step */
	bool graphs;			/* steps become graphs */
	int reads_only;			/* it takes memory that is mapped for reading only */
	aif_cuda_stream loader;		/* what must be done when a call returns */
	pthread_mutex_t uploading;	/* protects stages */
	struct aif_cuda_stage stages[AIF_CUDA_STAGES];
	atomic_bool failing, dead;	/* an error after which the process must end */
	char fault[AIF_CUDA_WHY_MAX];	/* which, once it is dead */
	char description[192];
	char id[AIF_CUDA_ID_MAX];
};

/* @mem.base is the device's address.  @host: NULL: the device's own memory, else wrapped. */
struct cuda_mem {
	struct aif_mem mem;
	struct aif_dev *dev;
	void *host;
};

struct aif_weight {
	struct aif_dev *dev;
	aif_cuda_ptr at;
	uint32_t n, k;
};

#define AIF_CUDA_STAGING (64u << 10)

/* Pinned.  @staging: what was written and may still be on its way */
struct aif_cuda_shared {
	struct aif_cuda_told told;
	_Alignas(64) unsigned char staging[AIF_CUDA_STAGING];
};

/*
 * @partial: AIF_CUDA_PARTIALS floats; @arrived: AIF_CUDA_COUNTERS counters of 0
 * @shared:  has @ticket when all that was enqueued is done, if @flagged; @told_at: the device's
 *           address of that
 * @staged:  bytes of its staging that are not to be written, until all is done
 * @began:   the device's clock when the step began, if @timed
 * @slept:   of a device that sleeps
 * @device_ns: of the last step, 0: not known
 * @graphs:  NULL: the device has none
 */
struct aif_stream {
	struct aif_dev *dev;
	aif_cuda_stream stream;
	aif_cuda_ptr partial, arrived;
	struct aif_cuda_shared *shared;
	size_t staged;
	uint32_t ticket;
	aif_cuda_ptr told_at, began;
	bool flagged, timed;
	uint64_t device_ns;
	aif_cuda_event slept;
	uint32_t max_seqlen;
	struct aif_cuda_graphs *graphs;
};

#define AIF_CUDA_PARTIALS (4u << 20)
#define AIF_CUDA_COUNTERS 1024u

/* @err, with a reason for people (aif_cuda_why()). */
__attribute__((format(printf, 2, 3)))
int aif_cuda_refuse(int err, const char *fmt, ...);
/* The result of a driver's call as -errno; says why on failure (aif_cuda_why()). */
int aif_cuda_result(struct aif_dev *dev, const char *call, int result);
/* A call of the driver, by its name. */
#define CALL(dev, name, ...) aif_cuda_result(dev, "cu" #name, (dev)->d.name(__VA_ARGS__))

/* Before a call that needs the context, from whatever thread; -EIO: nothing works any more. */
int aif_cuda_enter(struct aif_dev *dev);

/* Nothing works any more, for the reason that aif_cuda_why() says. */
void aif_cuda_give_up(struct aif_dev *dev);
/* What a stream has for aif_cuda_finish(); what was created before an error is freed by _free(). */
int aif_cuda_finish_create(struct aif_stream *s);
void aif_cuda_finish_free(struct aif_stream *s);
/*
 * As aif_cuda_wait(), by the flag if the last operator sets it, or asleep.  -EIO too: all is done,
 * and the flag has not come.
 */
int aif_cuda_finish(struct aif_stream *s);
/* Until all on @stream is done.  After an error nothing works any more. */
int aif_cuda_wait(struct aif_dev *dev, aif_cuda_stream stream);

/* What a stream has for graphs; what was created before an error is freed by _free(). */
int aif_cuda_graphs_create(struct aif_stream *s);
/* Nothing is enqueued any more. */
void aif_cuda_graphs_free(struct aif_stream *s);
/* Enqueue a kernel, or note it as one of the step's.  @args: its one argument, of @bytes */
int aif_cuda_launch(struct aif_stream *s, const struct aif_cuda_launch *l, aif_cuda_function f,
		    const void *args, size_t bytes);
/* Launches of a step of @shape follow. */
int aif_cuda_step_begin(struct aif_stream *s, const struct aif_step *shape);
/* Before anything but a launch is enqueued: what was noted is. */
int aif_cuda_step_flush(struct aif_stream *s);
/* The same, and what follows is not of the step. */
int aif_cuda_step_end(struct aif_stream *s);

/*
 * What is to be on the device: @count elements of @element bytes, of which @read makes some.  It
 * returns how many it has made: all, or those before a number that the storage lacks.
 */
struct aif_cuda_source {
	const void *host;
	size_t count;
	uint32_t element;
	size_t (*read)(void *piece, const void *host, size_t first, size_t count);
};

struct aif_cuda_source aif_cuda_source_bytes(const void *host, size_t bytes);
/* As the storage has them. */
struct aif_cuda_source aif_cuda_source_floats(const float *host, size_t count,
					      enum aif_cuda_storage storage);
/* In the current context, when nothing is being uploaded. */
void aif_cuda_stages_free(struct aif_dev *dev);
/* It is there when the call returns, and nothing reads the source any more. */
int aif_cuda_upload(struct aif_dev *dev, aif_cuda_ptr to, const struct aif_cuda_source *from);

/* Of activations, as enum aif_tensor_dtype. */
static inline uint32_t aif_cuda_dtype(const struct aif_dev *dev)
{
	static const uint32_t of[] = {
		[AIF_CUDA_F32] = AIF_F32, [AIF_CUDA_BF16] = AIF_BF16, [AIF_CUDA_F16] = AIF_F16,
	};

	return of[dev->target.storage];
}

/* Load the driver and start it; says why on failure.  -ENODEV: none, none that will do. */
int aif_cuda_start(struct aif_dev *dev);
/* How many devices there are: -ENODEV if there is none. */
int aif_cuda_count(struct aif_dev *dev, int *count);
/* What the driver says of device @index; fills @device, the driver's name for it, too. */
int aif_cuda_look(struct aif_dev *dev, int index, int *device, struct aif_cuda_found *found);

extern const struct aif_ops aif_cuda_ops;
extern const struct aif_backend aif_backend_cuda;

#endif
