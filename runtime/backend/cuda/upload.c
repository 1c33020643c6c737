// SPDX-License-Identifier: MIT
/*
 * Tables and weights to the device, in pieces through pinned memory: while one travels the
 * next is read from the model's file, and rounded if that is how it is to be stored.
 */
#include "runtime/backend/cuda/cuda.h"

#include <string.h>

#include "kernels/half.h"

static void read_bytes(void *piece, const void *host, size_t first, size_t count)
{
	memcpy(piece, (const char *)host + first, count);
}

static void read_bf16(void *piece, const void *host, size_t first, size_t count)
{
	const float *from = (const float *)host + first;
	uint16_t *to = piece;

	for (size_t i = 0; i < count; i++)
		to[i] = aif_to_bf16(from[i]);
}

static void read_f16(void *piece, const void *host, size_t first, size_t count)
{
	const float *from = (const float *)host + first;
	uint16_t *to = piece;

	for (size_t i = 0; i < count; i++)
		to[i] = aif_to_f16(from[i]);
}

struct aif_cuda_source aif_cuda_source_bytes(const void *host, size_t bytes)
{
	return (struct aif_cuda_source){ host, bytes, 1, read_bytes };
}

struct aif_cuda_source aif_cuda_source_floats(const float *host, size_t count,
					      enum aif_cuda_storage storage)
{
	if (storage == AIF_CUDA_F32)
		return aif_cuda_source_bytes(host, count * sizeof(*host));
	return (struct aif_cuda_source){
		host, count, sizeof(uint16_t), storage == AIF_CUDA_BF16 ? read_bf16 : read_f16,
	};
}

int aif_cuda_stages_create(struct aif_dev *dev)
{
	int err = 0;

	pthread_mutex_init(&dev->uploading, NULL);
	for (int i = 0; i < AIF_CUDA_STAGES && !err; i++) {
		err = CALL(dev, MemHostAlloc, &dev->stages[i].piece, AIF_CUDA_PIECE, 0);
		if (!err)
			err = CALL(dev, EventCreate, &dev->stages[i].sent,
				   AIF_CUDA_EVENT_DISABLE_TIMING);
	}
	return err;
}

void aif_cuda_stages_free(struct aif_dev *dev)
{
	for (int i = 0; i < AIF_CUDA_STAGES; i++) {
		if (dev->stages[i].sent)
			dev->d.EventDestroy(dev->stages[i].sent);
		if (dev->stages[i].piece)
			dev->d.MemFreeHost(dev->stages[i].piece);
	}
}

/* A stage is read into again when its last piece has left. */
static int send(struct aif_dev *dev, aif_cuda_ptr to, const struct aif_cuda_source *from)
{
	size_t most = AIF_CUDA_PIECE / from->element, first = 0, n;
	int err = aif_cuda_enter(dev);

	for (size_t i = 0; first < from->count && !err; i++, first += n) {
		struct aif_cuda_stage *s = &dev->stages[i % AIF_CUDA_STAGES];

		n = from->count - first < most ? from->count - first : most;
		if (i >= AIF_CUDA_STAGES)
			err = CALL(dev, EventSynchronize, s->sent);
		if (err)
			break;
		from->read(s->piece, from->host, first, n);
		err = CALL(dev, MemcpyHtoDAsync, to + first * from->element, s->piece,
			   n * from->element, dev->loader);
		if (!err)
			err = CALL(dev, EventRecord, s->sent, dev->loader);
	}
	return err;
}

int aif_cuda_upload(struct aif_dev *dev, aif_cuda_ptr to, const struct aif_cuda_source *from)
{
	int err, done;

	pthread_mutex_lock(&dev->uploading);
	err = send(dev, to, from);
	/* Also after an error: what was enqueued still reads the stages. */
	done = aif_cuda_wait(dev, dev->loader);
	pthread_mutex_unlock(&dev->uploading);
	return err ? err : done;
}
