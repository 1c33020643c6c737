// SPDX-License-Identifier: MIT
#include "runtime/daemon/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/daemon/kind.h"
#include "runtime/daemon/log.h"
#include "runtime/model/why.h"

#define NS_PER_S 1000000000ull

/* ---- the service ---- */

static void digest_bytes(const char *hex, uint8_t *digest)
{
	for (unsigned int i = 0; i < 32; i++) {
		char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		digest[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

static int create_error(const char *device, const char *name, struct aif_why *why)
{
	int err = errno;

	if (!device)
		device = "/dev/aif";
	if (err == ENOENT)
		return aif_why_set(why, -err, "%s-serve: no such device: is the module loaded? Ask `aif probe`",
				   device);
	if (err == EACCES)
		return aif_why_set(why, -err, "%s-serve: permission denied: it is for root, or for the group that the module's parameter serve_gid names",
				   device);
	if (err == ETIME)
		return aif_why_set(why, -err, "service %s: its longest_step_ms would make those late who have a budget of real time on its device",
				   name);
	if (err == EEXIST)
		return aif_why_set(why, -err, "service %s: this user serves one of that name already",
				   name);
	return aif_why_set(why, -err, "service %s: cannot be created: %s", name,
			   aif_error_text(err));
}

struct aif_holder *serve_create(const char *device, const struct service_conf *conf, void *state,
				struct aif_why *why)
{
	struct kind_description d = { 0 };
	struct aif_holder *holder;
	uint8_t digest[32];

	conf->kind->describe(state, &d);
	if (*d.digest_hex)
		digest_bytes(d.digest_hex, digest);
	holder = aif_holder_create(&(struct aif_holder_opts) {
		.size = sizeof(struct aif_holder_opts),
		.device = device,
		.name = conf->name,
		.accelerator = conf->accelerator,
		.model = d.model,
		.digest = *d.digest_hex ? digest : NULL,
		.text = d.text,
		.io = d.io,
		.io_count = d.io_count,
		.step_tokens = conf->workers,
		.max_attempts = conf->max_attempts,
		.longest_step_ms = conf->longest_step_ms,
		.progress_ms = conf->progress_ms,
		.recovery_ms = conf->recovery_ms,
	});
	if (!holder)
		create_error(device, conf->name, why);
	return holder;
}

/* ---- the loop ---- */

/* What the callbacks are about. */
struct serving {
	const struct serve_opts *o;
	struct aif_executor *executor;
};

static unsigned int pins_of(const struct serving *s, const struct aif_mapping *mapping)
{
	const struct kind *kind = s->o->conf->kind;

	return kind->pins ? kind->pins(s->o->state, mapping) : 0;
}

static void unmapped(void *ctx, struct aif_mapping *mapping)
{
	const struct serving *s = ctx;

	/* Of what is not declared any more a pin that is left is not forgiven. */
	if (pins_of(s, mapping))
		aif_executor_declare_pins(s->executor, mapping, 0);
	if (s->o->conf->kind->unmapped)
		s->o->conf->kind->unmapped(s->o->state, mapping);
}

/*
 * Pins that are declared are those of a live executor: without, a request that another has left
 * behind in the same buffer would wait for them until it fails.
 */
static int mapped(void *ctx, struct aif_mapping *mapping)
{
	const struct serving *s = ctx;
	const struct kind *kind = s->o->conf->kind;
	int err = kind->mapped ? kind->mapped(s->o->state, mapping) : 0;
	unsigned int pins = err ? 0 : pins_of(s, mapping);

	if (!pins)
		return err;
	err = aif_executor_declare_pins(s->executor, mapping, pins);
	if (err && kind->unmapped)
		kind->unmapped(s->o->state, mapping);
	return err;
}

static void poisoned(void *ctx, uint64_t client, uint32_t tag)
{
	log_error("request %u of client %llu killed every worker that took it", tag,
		  (unsigned long long)client);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

struct step {
	struct aif_executor *executor;
	struct serve_status *status;
};

static void at_work(struct step *s)
{
	atomic_store(&s->status->busy_since, now_ns());
}

void step_flush(struct step *s)
{
	aif_executor_flush(s->executor);
	at_work(s);
}

void step_progress(struct step *s, struct aif_job *job, uint32_t produced)
{
	aif_job_progress(job, produced, 0);
	at_work(s);
}

static int step(const struct serve_opts *o, struct aif_executor *e, struct aif_job **jobs,
		unsigned int n, struct aif_why *why)
{
	struct step s = { .executor = e, .status = o->status };
	int err;

	at_work(&s);
	err = o->conf->kind->step(o->state, &s, jobs, n);
	atomic_store(&o->status->busy_since, 0);
	return err ? aif_why_set(why, err, "service %s: the device failed: %s", o->conf->name,
				 strerror(-err)) : 0;
}

static int loop(const struct serve_opts *o, struct aif_executor *e, struct aif_job **jobs,
		struct aif_why *why)
{
	int n, err;

	for (;;) {
		n = aif_executor_turn(e, jobs, o->conf->batch, 0);
		if (n == -EINTR)
			continue;
		if (n == -ESHUTDOWN)
			return 0;
		if (n < 0)
			return aif_why_set(why, n, "service %s: %s", o->conf->name,
					   aif_error_text(n));
		err = n ? step(o, e, jobs, (unsigned int)n, why) : 0;
		if (err)
			return err;
	}
}

static int start_and_loop(const struct serve_opts *o, struct aif_executor *e, struct aif_why *why)
{
	struct aif_job **jobs;
	int err = o->conf->kind->start ? o->conf->kind->start(o->state, why) : 0;

	if (err)
		return err;
	jobs = calloc(o->conf->batch, sizeof(struct aif_job *));
	if (!jobs)
		return aif_why_set(why, -ENOMEM, "no memory");
	atomic_store(&o->status->ready, 1);
	if (o->ready)
		o->ready(o->ctx);
	err = loop(o, e, jobs, why);
	free(jobs);
	return err;
}

/* Attached first: a GPU's driver, if any, comes after (see aif_executor_open()). */
int serve_run(const struct serve_opts *o, struct aif_why *why)
{
	const struct aif_executor_callbacks callbacks = {
		.size = sizeof(callbacks),
		.mapped = mapped,
		.unmapped = unmapped,
		.poisoned = poisoned,
	};
	struct serving s = { .o = o };
	struct aif_executor *e = aif_executor_open(&(struct aif_executor_opts) {
		.size = sizeof(struct aif_executor_opts),
		.device = o->device,
		.callbacks = &callbacks,
		.ctx = &s,
		.service = o->service,
		.holder_fd = o->holder_fd,
		.slots = o->conf->batch,
	});
	int err;

	if (!e)
		return aif_why_set(why, -errno, "service %s: cannot attach: %s", o->conf->name,
				   aif_error_text(errno));
	s.executor = e;
	err = start_and_loop(o, e, why);
	aif_executor_close(e);
	return err;
}
