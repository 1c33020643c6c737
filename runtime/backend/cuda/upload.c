// SPDX-License-Identifier: MIT
/*
 * Tables and weights to the device, in pieces through pinned memory: while one travels the
 * next is read from the model's file, and rounded if that is how it is to be stored.
 */
#include "runtime/backend/cuda/cuda.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "kernels/half.h"

#define F16_INFINITY 0x7c00

static size_t read_bytes(void *piece, const void *host, size_t first, size_t count)
{
	memcpy(piece, (const char *)host + first, count);
	return count;
}

static size_t read_bf16(void *piece, const void *host, size_t first, size_t count)
{
	const float *from = (const float *)host + first;
	uint16_t *to = piece;

	for (size_t i = 0; i < count; i++)
		to[i] = aif_to_bf16(from[i]);
	return count;
}

/* A model that has a number beyond these would give NaN for vectors, and not say why. */
static size_t read_f16(void *piece, const void *host, size_t first, size_t count)
{
	const float *from = (const float *)host + first;
	uint16_t *to = piece;

	for (size_t i = 0; i < count; i++) {
		to[i] = aif_to_f16(from[i]);
		if ((to[i] & 0x7fff) == F16_INFINITY && isfinite(from[i]))
			return i;
	}
	return count;
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

static int create_stages(struct aif_dev *dev)
{
	int err = aif_cuda_enter(dev);

	for (int i = 0; i < AIF_CUDA_STAGES && !err; i++) {
		struct aif_cuda_stage *s = &dev->stages[i];

		if (!s->piece)
			err = CALL(dev, MemHostAlloc, &s->piece, AIF_CUDA_PIECE, 0);
		if (!err && !s->sent)
			err = CALL(dev, EventCreate, &s->sent, AIF_CUDA_EVENT_DISABLE_TIMING);
	}
	return err;
}

void aif_cuda_stages_free(struct aif_dev *dev)
{
	for (int i = 0; i < AIF_CUDA_STAGES; i++) {
		struct aif_cuda_stage *s = &dev->stages[i];

		if (s->sent)
			dev->d.EventDestroy(s->sent);
		if (s->piece)
			dev->d.MemFreeHost(s->piece);
		*s = (struct aif_cuda_stage){ 0 };
	}
}

static int read_piece(const struct aif_cuda_stage *s, const struct aif_cuda_source *from,
		      size_t first, size_t n)
{
	size_t made = from->read(s->piece, from->host, first, n);

	if (made == n)
		return 0;
	return aif_cuda_refuse(-EDOM, "a weight of %g: fp16 ends at 65504; bf16, tf32 and fp32 have it",
			       ((const float *)from->host)[first + made]);
}

static int send_piece(struct aif_dev *dev, struct aif_cuda_stage *s, aif_cuda_ptr to, size_t bytes)
{
	int err = CALL(dev, MemcpyHtoDAsync, to, s->piece, bytes, dev->loader);

	return err ? err : CALL(dev, EventRecord, s->sent, dev->loader);
}

/* A stage is read into again when its last piece has left. */
static int send(struct aif_dev *dev, aif_cuda_ptr to, const struct aif_cuda_source *from)
{
	size_t most = AIF_CUDA_PIECE / from->element, first = 0, n;
	int err = create_stages(dev);

	for (size_t i = 0; first < from->count && !err; i++, first += n) {
		struct aif_cuda_stage *s = &dev->stages[i % AIF_CUDA_STAGES];

		n = from->count - first < most ? from->count - first : most;
		if (i >= AIF_CUDA_STAGES)
			err = CALL(dev, EventSynchronize, s->sent);
		if (!err)
			err = read_piece(s, from, first, n);
		if (!err)
			err = send_piece(dev, s, to + first * from->element, n * from->element);
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
