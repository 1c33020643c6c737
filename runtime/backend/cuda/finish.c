// SPDX-License-Identifier: MIT
/*
 * How the host learns that a step is done.
 *
 * The last operator of a step, pool, ends with a store to the host's memory that is seen after all
 * vectors are.  A thread that spins on that word knows sooner than one that asks the driver; the
 * driver is asked now and then, since after a fault the word never comes.  Whoever shares
 * its processor may rather sleep.
 */
#include "runtime/backend/cuda/cuda.h"

#include <errno.h>
#include <time.h>

#include "runtime/backend/relax.h"

#define ASK_NS 20000
#define NS_PER_S 1000000000ull

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

int aif_cuda_finish_create(struct aif_stream *s)
{
	struct aif_dev *dev = s->dev;
	void *shared = NULL;
	int err = CALL(dev, MemHostAlloc, &shared, sizeof(*s->shared), AIF_CUDA_HOST_DEVICEMAP);

	if (err)
		return err;
	s->shared = shared;
	s->shared->told = (struct aif_cuda_told){ .ticket = s->ticket };
	err = CALL(dev, MemHostGetDevicePointer, &s->told_at, &s->shared->told, 0);
	if (!err && dev->sleeps)
		err = CALL(dev, EventCreate, &s->slept,
			   AIF_CUDA_EVENT_BLOCKING_SYNC | AIF_CUDA_EVENT_DISABLE_TIMING);
	return err;
}

void aif_cuda_finish_free(struct aif_stream *s)
{
	struct aif_dev *dev = s->dev;

	if (dev->dead || dev->d.CtxSetCurrent(dev->context))
		return;
	if (s->slept)
		dev->d.EventDestroy(s->slept);
	if (s->shared)
		dev->d.MemFreeHost(s->shared);
}

static int sleep_until_done(struct aif_stream *s)
{
	struct aif_dev *dev = s->dev;
	int err = CALL(dev, EventRecord, s->slept, s->stream);

	return err ? err : CALL(dev, EventSynchronize, s->slept);
}

static bool is_told(const struct aif_stream *s)
{
	return __atomic_load_n(&s->shared->told.ticket, __ATOMIC_ACQUIRE) == s->ticket;
}

/* The driver's result: it is done, it is not, or why it never will be. */
static int spin_and_ask(struct aif_stream *s)
{
	uint64_t begin = now_ns();

	while (!is_told(s)) {
		if (now_ns() - begin >= ASK_NS)
			return s->dev->d.StreamQuery(s->stream);
		aif_relax();
	}
	return 0;
}

static int spin_until_done(struct aif_stream *s)
{
	int result;

	do
		result = spin_and_ask(s);
	while (result == AIF_CUDA_NOT_READY);
	return aif_cuda_result(s->dev, "cuStreamQuery", result);
}

/* Done is not enough: of what the device has not told, the vectors may be an older step's. */
static int check_told(const struct aif_stream *s)
{
	if (!s->flagged || is_told(s))
		return 0;
	return aif_cuda_refuse(-EIO, "step %u is done, and the device has told the host of step %u",
			       s->ticket, s->shared->told.ticket);
}

static int wait_as_told(struct aif_stream *s)
{
	struct aif_dev *dev = s->dev;
	int err = aif_cuda_enter(dev);

	if (!err)
		err = dev->sleeps ? sleep_until_done(s) : spin_until_done(s);
	if (!err)
		err = check_told(s);
	if (err)
		aif_cuda_give_up(dev);
	return err;
}

int aif_cuda_finish(struct aif_stream *s)
{
	int err = s->flagged || s->dev->sleeps ? wait_as_told(s) : aif_cuda_wait(s->dev, s->stream);

	s->device_ns = !err && s->flagged ? s->shared->told.ns : 0;
	s->flagged = false;
	if (!err)
		s->staged = 0;
	return err;
}
