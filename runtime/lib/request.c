// SPDX-License-Identifier: MIT
/* Requests: a tag, its descriptor, and what the completion array says of it. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib.h"

#define SPEC_FIRST	sizeof(struct aif_request_spec)
#define OUTCOME_FIRST	sizeof(struct aif_outcome)
#define TRANSFER_FIRST	offsetof(struct aif_transfer_spec, engine)

#define SPIN_CHECK	256	/* looks between two looks at the clock */

_Static_assert(AIF_REQUEST_RESTART == AIF_REQ_F_RESTART, "flags are passed on");
_Static_assert(AIF_SUBMIT_WAIT_ALL == AIF_SUBMIT_F_WAIT_ALL &&
	       AIF_SUBMIT_WAIT_FIRST == AIF_SUBMIT_F_WAIT_FIRST, "flags are passed on");
_Static_assert(sizeof(struct aif_request_spec) == 48, "no padding");
_Static_assert(sizeof(struct aif_transfer_spec) == 80, "no padding");

/* The completion's first word: which use of the tag, and how far it is. */
union progress {
	uint64_t word;
	struct {
		uint32_t generation;
		uint32_t state;
	};
};

static const struct aif_completion *completion_of(const struct aif_request *r)
{
	return &r->client->completions[r->desc.tag];
}

/* FREE while the device has not taken this use of the tag. */
static uint32_t device_state(const struct aif_request *r)
{
	union progress now = { .word = libaif_load(completion_of(r)) };

	return now.generation == r->desc.generation ? now.state : AIF_STATE_FREE;
}

static bool is_answered(uint32_t state)
{
	return state == AIF_STATE_DONE || state == AIF_STATE_ORPHANED;
}

static bool is_idle(const struct aif_request *r)
{
	if (libaif_phase(r) == LIBAIF_PLACED)
		return false;
	return libaif_phase(r) != LIBAIF_SUBMITTED || device_state(r) == AIF_STATE_DONE;
}

/* ---- taking and giving back; all under the client's lock ---- */

/* Requests that were put while an executor had their memory. */
static void collect_parting(struct aif_client *c)
{
	struct aif_request **p = &c->parting;

	while (*p) {
		struct aif_request *r = *p;

		if (!is_idle(r)) {
			p = &r->next;
			continue;
		}
		*p = r->next;
		r->next = c->free;
		c->free = r;
	}
}

static struct aif_request *request_get(struct aif_client *c)
{
	struct aif_request *r;

	if (!c->free)
		collect_parting(c);
	r = c->free;
	if (!r)
		return NULL;
	c->free = r->next;
	libaif_phase_set(r, LIBAIF_NEW);
	r->user = NULL;
	return r;
}

static void request_put(struct aif_request *r)
{
	struct aif_request **list = is_idle(r) ? &r->client->free : &r->client->parting;

	r->next = *list;
	*list = r;
}

struct aif_request *aif_request_get(struct aif_client *c)
{
	struct aif_request *r;

	pthread_mutex_lock(&c->lock);
	r = request_get(c);
	pthread_mutex_unlock(&c->lock);
	return r ? r : libaif_null(-EAGAIN);
}

void aif_request_put(struct aif_request *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->client->lock);
	request_put(r);
	pthread_mutex_unlock(&r->client->lock);
}

void aif_request_set_user(struct aif_request *r, void *user)
{
	r->user = user;
}

void *aif_request_user(const struct aif_request *r)
{
	return r->user;
}

/* ---- saying what to compute ---- */

static int class_to_abi(enum aif_request_class sched_class)
{
	switch (sched_class) {
	case AIF_REQUEST_NORMAL:
		return AIF_CLASS_NORMAL;
	case AIF_REQUEST_IDLE:
		return AIF_CLASS_IDLE;
	case AIF_REQUEST_REALTIME:
		return AIF_CLASS_REALTIME;
	}
	return -EINVAL;
}

/* An only short input beside an only output, in no grant, travels in the descriptor. */
static bool fits_inline(const struct aif_request_spec *spec)
{
	return spec->in_count == 1 && spec->out_count == 1 && spec->in[0].iov_len >= 1 &&
	       spec->in[0].iov_len <= AIF_INLINE_MAX;
}

static int place_pieces(struct aif_desc *d, const struct aif_service *s,
			const struct aif_request_spec *spec)
{
	unsigned int i, n = 0;

	for (i = 0; i < spec->in_count; i++) {
		if (libaif_grant_find(s, &spec->in[i], false, &d->ranges[n])) {
			n++;
			continue;
		}
		if (!fits_inline(spec))
			return -EFAULT;
		d->inline_length = (uint8_t)spec->in[0].iov_len;
		memcpy(d->input, spec->in[0].iov_base, d->inline_length);
	}
	for (i = 0; i < spec->out_count; i++) {
		if (!libaif_grant_find(s, &spec->out[i], true, &d->ranges[n]))
			return -EFAULT;
		n++;
	}
	d->range_count = (uint8_t)n;
	return 0;
}

static int request_prepare(struct aif_request *r, const struct aif_service *s,
			   const struct aif_request_spec *spec)
{
	int sched_class = class_to_abi(spec->sched_class);
	struct aif_desc d = {
		.deadline = spec->deadline_ns, .tag = r->desc.tag,
		.generation = r->desc.generation + 1, .service = s->handle,
		.sched_class = (uint8_t)sched_class, .flags = (uint8_t)spec->flags,
	};
	int err;

	if (s->client != r->client || sched_class < 0 || spec->flags & ~AIF_REQUEST_RESTART ||
	    spec->in_count > AIF_RANGES_MAX || spec->out_count > AIF_RANGES_MAX - spec->in_count)
		return -EINVAL;
	if (!is_idle(r))
		return -EBUSY;
	err = place_pieces(&d, s, spec);
	if (err)
		return err;
	r->desc = d;
	r->made = r->client->made;
	r->revoked = r->client->revoked;
	libaif_phase_set(r, LIBAIF_PREPARED);
	return 0;
}

int aif_request_prepare(struct aif_request *r, struct aif_service *s,
			const struct aif_request_spec *given)
{
	struct aif_request_spec spec;
	int err = libaif_opts_in(&spec, sizeof(spec), SPEC_FIRST, given);

	if (err)
		return err;
	pthread_mutex_lock(&r->client->lock);
	err = request_prepare(r, s, &spec);
	pthread_mutex_unlock(&r->client->lock);
	return err;
}

/* ---- ... or to copy ---- */

static bool place_of(struct aif_range *range, const struct aif_request *r,
		     const struct aif_buffer *b, size_t offset, size_t bytes)
{
	if (!b || b->client != r->client || offset > b->size || bytes > b->size - offset)
		return false;
	*range = (struct aif_range){
		.grant = b->handle, .offset = (uint32_t)offset, .length = (uint32_t)bytes,
	};
	return true;
}

static bool place_transfer(struct aif_desc *d, const struct aif_request *r,
			   const struct aif_transfer_spec *spec)
{
	if (spec->from) {
		d->range_count = 2;
		return !spec->pattern && !spec->pattern_bytes &&
		       place_of(&d->ranges[0], r, spec->from, spec->from_offset, spec->bytes) &&
		       place_of(&d->ranges[1], r, spec->to, spec->to_offset, spec->bytes);
	}
	if (!spec->pattern || !spec->pattern_bytes || spec->pattern_bytes > AIF_INLINE_MAX)
		return false;
	d->range_count = 1;
	d->inline_length = (uint8_t)spec->pattern_bytes;
	memcpy(d->input, spec->pattern, spec->pattern_bytes);
	return place_of(&d->range, r, spec->to, spec->to_offset, spec->bytes);
}

int aif_request_prepare_transfer(struct aif_request *r, const struct aif_transfer_spec *given)
{
	struct aif_transfer_spec spec;
	struct aif_desc d = { .flags = AIF_REQ_F_TRANSFER };
	int err = libaif_opts_in(&spec, sizeof(spec), TRANSFER_FIRST, given);
	int sched_class = class_to_abi(spec.sched_class);

	if (err || sched_class < 0 || spec.reserved)
		return err ? err : -EINVAL;
	if (!(r->client->info.features & AIF_F_TRANSFER))
		return -EOPNOTSUPP;
	if (!is_idle(r))
		return -EBUSY;
	d.deadline = spec.deadline_ns;
	d.tag = r->desc.tag;
	d.generation = r->desc.generation + 1;
	d.sched_class = (uint8_t)sched_class;
	d.service = spec.engine;
	if (!place_transfer(&d, r, &spec))
		return -EINVAL;
	r->desc = d;
	libaif_phase_set(r, LIBAIF_PREPARED);
	return 0;
}

/* ---- the descriptor ring ---- */

static bool run_is_free(const struct aif_client *c, uint32_t first, unsigned int count)
{
	uint32_t mask = c->info.out_arrays[AIF_ARRAY_DESC].count - 1;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (__atomic_load_n(&c->taken[(first + i) & mask], __ATOMIC_ACQUIRE))
			return false;
	}
	return true;
}

/* @count free positions in a row.  Nearly always the first look finds them. */
static int64_t descs_take(struct aif_client *c, unsigned int count)
{
	uint32_t ring = c->info.out_arrays[AIF_ARRAY_DESC].count;
	uint32_t first, i, looks;

	for (looks = 0; looks < ring; looks++) {
		first = (c->cursor + looks) & (ring - 1);
		if (!run_is_free(c, first, count))
			continue;
		for (i = 0; i < count; i++)
			c->taken[(first + i) & (ring - 1)] = 1;
		c->cursor = (first + count) & (ring - 1);
		return first;
	}
	return -EAGAIN;
}

static int64_t descs_place(struct aif_request *const *requests, unsigned int count)
{
	struct aif_client *c = requests[0]->client;
	uint32_t mask = c->info.out_arrays[AIF_ARRAY_DESC].count - 1;
	int64_t first = descs_take(c, count);
	unsigned int i;

	for (i = 0; first >= 0 && i < count; i++)
		c->descs[(first + i) & mask] = requests[i]->desc;
	return first;
}

/* Are the grants there still that it was prepared with? */
static bool has_its_grants(const struct aif_client *c, const struct aif_request *r)
{
	unsigned int i;

	if (r->revoked == c->revoked || r->desc.flags & AIF_REQ_F_TRANSFER)
		return true;
	for (i = 0; i < r->desc.range_count; i++) {
		if (!libaif_grant_is(c, r->desc.ranges[i].grant, r->made))
			return false;
	}
	return true;
}

/* For one submission: a second time, in this one or in another, it is refused. */
static int request_claim(const struct aif_client *c, struct aif_request *r)
{
	if (r->client != c || libaif_phase(r) != LIBAIF_PREPARED)
		return -EINVAL;
	if (!has_its_grants(c, r))
		return -EKEYREVOKED;
	libaif_phase_set(r, LIBAIF_PLACED);
	return 0;
}

int64_t libaif_descs_place(struct aif_request *const *requests, unsigned int count)
{
	struct aif_client *c;
	unsigned int claimed;
	int64_t first = 0;

	if (!count || count > requests[0]->client->info.depth)
		return -EINVAL;
	c = requests[0]->client;
	pthread_mutex_lock(&c->lock);
	for (claimed = 0; claimed < count && !first; claimed += !first)
		first = request_claim(c, requests[claimed]);
	if (!first)
		first = descs_place(requests, count);
	if (first < 0)
		libaif_requests_settle(requests, claimed, 0);
	pthread_mutex_unlock(&c->lock);
	return first;
}

void libaif_descs_release(struct aif_client *c, uint32_t first, unsigned int count)
{
	uint32_t mask = c->info.out_arrays[AIF_ARRAY_DESC].count - 1;
	unsigned int i;

	for (i = 0; i < count; i++)
		__atomic_store_n(&c->taken[(first + i) & mask], 0, __ATOMIC_RELEASE);
}

void libaif_requests_settle(struct aif_request *const *requests, unsigned int count,
			    unsigned int accepted)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		libaif_phase_set(requests[i], i < accepted ? LIBAIF_SUBMITTED : LIBAIF_PREPARED);
}

/* ---- submitting ---- */

int libaif_submit_flags(unsigned int flags, uint32_t *abi)
{
	const unsigned int waits = AIF_SUBMIT_WAIT_ALL | AIF_SUBMIT_WAIT_FIRST;

	if (flags & ~waits || flags == waits)
		return -EINVAL;
	*abi = flags;
	return 0;
}

/* Submit what stands at @first and say what became of it: see aif_request_submit(). */
static int submit_placed(struct aif_request *const *requests, unsigned int count, uint32_t first,
			 uint32_t flags)
{
	struct aif_client *c = requests[0]->client;
	struct aif_ioc_submit arg = {
		.size = sizeof(arg), .flags = flags, .first = first, .count = count,
	};
	int err = libaif_call(c->file, AIF_IOC_SUBMIT, &arg);

	libaif_descs_release(c, first, count);
	libaif_requests_settle(requests, count, arg.out_accepted);
	return err ? err : (int)arg.out_accepted;
}

int aif_request_submit(struct aif_request *const *requests, unsigned int count,
		       unsigned int flags)
{
	uint32_t abi_flags;
	int err = libaif_submit_flags(flags, &abi_flags);
	int64_t first;

	if (err)
		return err;
	first = libaif_descs_place(requests, count);
	if (first < 0)
		return (int)first;
	return submit_placed(requests, count, (uint32_t)first, abi_flags);
}

/* ---- looking ---- */

enum aif_request_state aif_request_state(const struct aif_request *r)
{
	uint32_t state = device_state(r);

	if (libaif_phase(r) == LIBAIF_NEW)
		return AIF_REQUEST_NEW;
	if (state == AIF_STATE_FREE)
		return AIF_REQUEST_PREPARED;
	if (state == AIF_STATE_DONE)
		return AIF_REQUEST_QUIET;
	return state == AIF_STATE_ORPHANED ? AIF_REQUEST_ANSWERED : AIF_REQUEST_IN_FLIGHT;
}

bool aif_request_answered(const struct aif_request *r)
{
	return is_answered(device_state(r));
}

uint32_t aif_request_produced(const struct aif_request *r)
{
	if (device_state(r) == AIF_STATE_FREE)
		return 0;
	return __atomic_load_n(&completion_of(r)->produced, __ATOMIC_ACQUIRE);
}

void aif_request_trace(const struct aif_request *r, uint64_t *tenant, uint32_t *tag,
		       uint32_t *generation)
{
	*tenant = r->client->info.out_tenant;
	*tag = r->desc.tag;
	*generation = r->desc.generation;
}

int aif_request_result(const struct aif_request *r)
{
	return aif_request_answered(r) ? completion_of(r)->result : -EINPROGRESS;
}

int aif_request_outcome(const struct aif_request *r, struct aif_outcome *outcome)
{
	const struct aif_completion *done = completion_of(r);
	uint32_t state = device_state(r);
	struct aif_outcome full;

	if (!is_answered(state))
		return -EINPROGRESS;
	full = (struct aif_outcome){
		.result = done->result, .produced = done->produced, .attempt = done->attempt,
		.quiet = state == AIF_STATE_DONE,
		.submitted_ns = done->submitted_ns, .fetched_ns = done->fetched_ns,
		.answered_ns = done->answered_ns, .device_ns = done->device_ns,
	};
	return libaif_opts_out(outcome, OUTCOME_FIRST, &full, sizeof(full));
}

/* ---- waiting ---- */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

int aif_request_spin(const struct aif_request *r, int64_t timeout_ns)
{
	int64_t start = 0;
	unsigned int looks;

	if (device_state(r) == AIF_STATE_FREE)
		return -EINVAL;
	for (;;) {
		for (looks = 0; looks < SPIN_CHECK; looks++) {
			if (aif_request_answered(r))
				return 0;
			relax();
		}
		if (timeout_ns < 0)
			continue;
		if (!start)
			start = now_ns();
		if (now_ns() - start >= timeout_ns)
			return -ETIME;
	}
}

static int wait_tag(struct aif_request *r, uint64_t value, int64_t timeout_ns)
{
	struct aif_ioc_wait arg = {
		.size = sizeof(arg), .flags = AIF_WAIT_F_PRODUCED, .tag = r->desc.tag,
		.value = value, .timeout_ns = timeout_ns,
	};

	if (device_state(r) == AIF_STATE_FREE)
		return -EINVAL;
	if (aif_request_answered(r))
		return 0;
	return libaif_call(r->client->file, AIF_IOC_WAIT, &arg);
}

/* More is never produced than 32 bits can say, so only the answer ends this. */
int aif_request_wait(struct aif_request *r, int64_t timeout_ns)
{
	return wait_tag(r, UINT32_MAX, timeout_ns);
}

int aif_request_wait_produced(struct aif_request *r, uint32_t bytes, int64_t timeout_ns)
{
	return wait_tag(r, bytes, timeout_ns);
}

int aif_request_wait_quiet(struct aif_request *r, int64_t timeout_ns)
{
	struct aif_ioc_wait_quiet arg = {
		.size = sizeof(arg), .tag = r->desc.tag, .timeout_ns = timeout_ns,
	};
	uint32_t state = device_state(r);

	if (state == AIF_STATE_FREE)
		return -EINVAL;
	if (state == AIF_STATE_DONE)
		return 0;
	return libaif_call(r->client->file, AIF_IOC_WAIT_QUIET, &arg);
}

int aif_request_cancel(struct aif_request *r)
{
	struct aif_ioc_cancel arg = {
		.size = sizeof(arg), .tag = r->desc.tag, .generation = r->desc.generation,
	};

	return libaif_call(r->client->file, AIF_IOC_CANCEL, &arg);
}

/* ---- all in one ---- */

/* Under the client's lock: a request, prepared and placed at its ->first, or NULL. */
static struct aif_request *call_begin(struct aif_service *s, const struct aif_request_spec *spec)
{
	struct aif_request *r = request_get(s->client);
	int64_t first;

	if (!r)
		return libaif_null(-EAGAIN);
	first = request_prepare(r, s, spec);
	if (!first)
		first = descs_place(&r, 1);
	if (first < 0) {
		request_put(r);
		return libaif_null((int)first);
	}
	r->first = (uint32_t)first;
	return r;
}

static int call_refused(int err, struct aif_outcome *outcome)
{
	struct aif_outcome full = { .result = err };
	int bad = outcome ? libaif_opts_out(outcome, OUTCOME_FIRST, &full, sizeof(full)) : 0;

	return bad ? bad : err;
}

int aif_call(struct aif_service *s, const struct aif_request_spec *given,
	     struct aif_outcome *outcome)
{
	struct aif_client *c = s->client;
	struct aif_request_spec spec;
	struct aif_request *r;
	int err = libaif_opts_in(&spec, sizeof(spec), SPEC_FIRST, given);

	if (err || (outcome && outcome->size < OUTCOME_FIRST))
		return err ? err : -EINVAL;
	pthread_mutex_lock(&c->lock);
	r = call_begin(s, &spec);
	err = r ? 0 : -errno;
	pthread_mutex_unlock(&c->lock);
	if (err)
		return call_refused(err, outcome);

	err = submit_placed(&r, 1, r->first, AIF_SUBMIT_F_WAIT_ALL);
	if (err == -EINTR)
		aif_request_cancel(r);
	if (err < 0)
		err = call_refused(err, outcome);
	else
		err = outcome ? aif_request_outcome(r, outcome) : 0;
	if (!err)
		err = aif_request_result(r);
	aif_request_put(r);
	return err;
}
