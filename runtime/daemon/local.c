// SPDX-License-Identifier: MIT
#include "runtime/daemon/local.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/kind.h"
#include "runtime/daemon/serve.h"
#include "runtime/model/why.h"

/*
 * @holder:  NULL when the thread has ended with an error; under @lock
 * @settled: the thread takes requests, or has ended
 * @err:     0, or how it ended, with @why
 */
struct local {
	struct service_conf conf;
	void *state;
	pthread_mutex_t lock;
	struct aif_holder *holder;
	struct serve_status status;
	pthread_t thread;
	sem_t settled;
	int err;
	struct aif_why why;
};

static void ready(void *ctx)
{
	struct local *l = ctx;

	sem_post(&l->settled);
}

/* Its only executor has failed: whoever waits for it gets -ENODEV. */
static void holder_end(struct local *l)
{
	pthread_mutex_lock(&l->lock);
	aif_holder_close(l->holder);
	l->holder = NULL;
	pthread_mutex_unlock(&l->lock);
}

static void *serve(void *ctx)
{
	struct local *l = ctx;
	struct serve_opts opts = {
		.device = "local", .conf = &l->conf, .state = l->state, .status = &l->status,
		.ready = ready, .ctx = l, .service = aif_holder_service(l->holder),
		.holder_fd = aif_holder_fd(l->holder),
	};

	l->err = serve_run(&opts, &l->why);
	if (l->err)
		holder_end(l);
	sem_post(&l->settled);
	return NULL;
}

static int start(struct local *l, const char *name, char *const *pairs, struct aif_why *why)
{
	int err = service_conf_parse(&l->conf, name, pairs, why);

	if (!err)
		err = l->conf.kind->open(&l->conf, &l->state, why);
	if (err)
		return err;
	l->holder = serve_create("local", &l->conf, l->state, why);
	if (!l->holder)
		return -errno;
	err = pthread_create(&l->thread, NULL, serve, l);
	if (err)
		return aif_why_set(why, -err, "cannot start a thread: %s", strerror(err));
	pthread_setname_np(l->thread, "aif-executor");
	while (sem_wait(&l->settled))
		;
	if (!l->err)
		return 0;
	pthread_join(l->thread, NULL);
	*why = l->why;
	return l->err;
}

static void local_free(struct local *l)
{
	aif_holder_close(l->holder);
	if (l->state)
		l->conf.kind->close(l->state);
	free(l);
}

struct local *local_start(const char *name, char *const *pairs, struct aif_why *why)
{
	struct local *l = calloc(1, sizeof(*l));

	if (!l) {
		aif_why_format(why, "no memory");
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	sem_init(&l->settled, 0, 0);
	if (start(l, name, pairs, why)) {
		local_free(l);
		return NULL;
	}
	return l;
}

int local_stop(struct local *l, struct aif_why *why)
{
	int err;

	if (!l)
		return 0;
	pthread_mutex_lock(&l->lock);
	if (l->holder)
		aif_holder_drain(l->holder);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	err = l->err;
	if (err && why)
		*why = l->why;
	local_free(l);
	return err;
}
