// SPDX-License-Identifier: MIT
/*
 * TEST CODE: a service of token ids, as a client sees it, by the local transport: on the CPU,
 * and on the CUDA backend with the stand-in driver (rung 4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libaif.h"
#include "runtime/backend/backend.h"
#include "runtime/daemon/local.h"
#include "tests/unit/model/refs.h"

#define BUFFER 65536
#define VOCABULARY 30522
#define SHORT 8		/* tokens of the references asked for */

/* @given: what clients write ids into; @kept: the same, granted for reading only */
struct rig {
	struct local *local;
	struct aif_client *client;
	struct aif_service *service;
	struct aif_request *request;
	int32_t *given, *kept;
	float *vector;
	int32_t *counts;
};

static struct ref *refs;
static size_t ref_count;
static void (*standin_reset)(void);
static unsigned int (*standin_launches)(const char *kernel);
static unsigned int (*standin_complaints)(void);

static bool together;	/* backends embed only ids that lie together */

const struct aif_backend *__real_aif_backend_find(const char *name);
const struct aif_backend *__wrap_aif_backend_find(const char *name);
const struct aif_backend *__wrap_aif_backend_find(const char *name)
{
	static struct aif_backend be;
	static struct aif_ops ops;
	const struct aif_backend *found = __real_aif_backend_find(name);

	if (!found || !together)
		return found;
	be = *found;
	ops = *found->ops;
	ops.embed_each = NULL;
	be.ops = &ops;
	return &be;
}

static char *pair(const char *key, const char *value)
{
	char *text;

	assert_true(asprintf(&text, "%s=%s", key, value) > 0);
	return text;
}

static void start(struct rig *r, const char *backend)
{
	char *pairs[] = { pair("model", model_folder()), pair("backend", backend),
			  pair("input", "ids"), pair("threads", "1"),
			  pair("progress_ms", "3600000"), NULL };
	struct aif_why why;

	r->local = local_start("ids", pairs, &why);
	if (!r->local)
		fail_msg("%s", why.text);
	for (size_t i = 0; pairs[i]; i++)
		free(pairs[i]);
}

static char *grant(struct rig *r, unsigned int flags)
{
	struct aif_buffer *buffer = aif_buffer_alloc(r->client, BUFFER);

	assert_non_null(buffer);
	assert_non_null(aif_grant_create(buffer, r->service, flags));
	return aif_buffer_data(buffer);
}

static void rig_open(struct rig *r, const char *backend, const char *words)
{
	struct aif_client_opts opts = { .size = sizeof(opts), .device = "local" };

	setenv("AIF_STANDIN", words, 1);
	standin_reset();
	start(r, backend);
	r->client = aif_client_open(&opts);
	assert_non_null(r->client);
	r->service = aif_service_open(r->client, "ids", AIF_OWNER_TRUSTED);
	assert_non_null(r->service);
	r->given = (int32_t *)grant(r, AIF_GRANT_WRITE);
	r->vector = (float *)(r->given + BUFFER / 8);
	r->counts = (int32_t *)(r->vector + DIMENSIONS);
	r->kept = (int32_t *)grant(r, 0);
	r->request = aif_request_get(r->client);
	assert_non_null(r->request);
}

static void rig_close(struct rig *r)
{
	struct aif_why why;

	aif_client_close(r->client);
	if (local_stop(r->local, &why))
		fail_msg("%s", why.text);
	assert_int_equal(standin_complaints(), 0);
}

/* A request of @bytes at @ids; what came of it, the vector of a success in @r->vector. */
static int ask(struct rig *r, const void *ids, size_t bytes, bool counts)
{
	struct iovec in = { (void *)ids, bytes };
	struct iovec out[] = { { r->vector, DIMENSIONS * sizeof(float) }, { r->counts, 8 } };
	struct aif_request_spec spec = { .size = sizeof(spec), .in = &in, .in_count = 1,
					 .out = out, .out_count = counts ? 2 : 1 };
	int err = aif_request_prepare(r->request, r->service, &spec);

	memset(r->vector, 0xff, DIMENSIONS * sizeof(float));
	if (!err)
		err = aif_request_submit(&r->request, 1, 0);
	if (err < 0)
		return err;
	assert_int_equal(aif_request_wait_quiet(r->request, -1), 0);
	return aif_request_result(r->request);
}

/* As many ids as a reference has, or as @ids; into what is granted for writing. */
static const float *vector_of(struct rig *r, const int32_t *ids, size_t count)
{
	memcpy(r->given, ids, count * sizeof(*ids));
	assert_int_equal(ask(r, r->given, count * sizeof(*ids), true), 0);
	assert_int_equal(r->counts[0], count);
	assert_int_equal(r->counts[1], 0);
	return r->vector;
}

static const struct ref *some_reference(size_t from)
{
	while (refs[from].count > SHORT)
		from++;
	return &refs[from];
}

static void check_described(struct rig *r)
{
	const struct aif_service_info *info = aif_service_info(r->service);

	assert_int_equal(info->input_count, 1);
	assert_string_equal(info->io[0].name, "ids");
	assert_int_equal(info->io[0].kind, AIF_KIND_TENSOR);
	assert_int_equal(info->io[0].element, AIF_ELEMENT_I32);
	assert_int_equal(info->io[0].dims, 1);
	assert_int_equal(info->io[0].shape[0], -1);
	assert_int_equal(info->io[0].alignment, sizeof(int32_t));
	assert_int_equal(info->io[0].max_bytes, MAX_TOKENS * sizeof(int32_t));
}

/* The publisher's ids give the publisher's vectors. */
static void check_references(struct rig *r)
{
	for (size_t from = 0; from < 60; from += 20) {
		const struct ref *ref = some_reference(from);

		assert_true(refs_cosine(vector_of(r, ref->ids, ref->count), ref->vector) >= 0.99999);
	}
}

/* Wherever they come from: granted for reading only, or with the request itself. */
static void check_places(struct rig *r)
{
	static const int32_t ids[] = { 101, 1037, 3793, 102 };
	float want[DIMENSIONS];

	memcpy(want, vector_of(r, ids, COUNT(ids)), sizeof(want));
	memcpy(r->kept + 3, ids, sizeof(ids));
	assert_int_equal(ask(r, r->kept + 3, sizeof(ids), true), 0);
	assert_memory_equal(r->vector, want, sizeof(want));
	assert_int_equal(ask(r, ids, sizeof(ids), false), 0);
	assert_memory_equal(r->vector, want, sizeof(want));
}

static void check_out_of_range(struct rig *r)
{
	static const int32_t odd[] = { 101, INT32_MIN, -1, VOCABULARY, INT32_MAX, 102 };
	static const int32_t clamped[] = { 101, 0, 0, VOCABULARY - 1, VOCABULARY - 1, 102 };
	float want[DIMENSIONS];

	memcpy(want, vector_of(r, clamped, COUNT(clamped)), sizeof(want));
	assert_memory_equal(vector_of(r, odd, COUNT(odd)), want, sizeof(want));
}

static void check_refused(struct rig *r)
{
	int32_t *ids = r->given;

	assert_int_equal(ask(r, ids, 0, true), -EINVAL);
	assert_int_equal(ask(r, ids, 6, true), -EINVAL);
	assert_int_equal(ask(r, (char *)ids + 2, 8, true), -EINVAL);
	assert_int_equal(ask(r, ids, (MAX_TOKENS + 1) * sizeof(*ids), true), -EINVAL);
	/* It goes on. */
	assert_int_equal(ask(r, ids, 8, true), 0);
}

struct flipper {
	int32_t *id;
	atomic_bool stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;

	for (int32_t v = 0; !atomic_load(&f->stop); v = !v) {
		__atomic_store_n(f->id, v ? INT32_MAX : 3793, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

/* The client writes an id while it is read: the vector is one of the two, never another. */
static void check_changed_meanwhile(struct rig *r, int rounds)
{
	static const int32_t ids[2][3] = { { 101, 3793, 102 }, { 101, INT32_MAX, 102 } };
	float want[2][DIMENSIONS];
	struct flipper f = { .id = r->given + 1 };
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		memcpy(want[i], vector_of(r, ids[i], 3), sizeof(want[i]));
	assert_int_equal(pthread_create(&thread, NULL, flip, &f), 0);
	for (int i = 0; i < rounds; i++) {
		assert_int_equal(ask(r, r->given, sizeof(ids[0]), true), 0);
		assert_true(!memcmp(r->vector, want[0], sizeof(want[0])) ||
			    !memcmp(r->vector, want[1], sizeof(want[1])));
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
}

static void check(const char *backend, const char *words, int rounds)
{
	struct rig r;

	rig_open(&r, backend, words);
	check_described(&r);
	check_references(&r);
	check_places(&r);
	check_out_of_range(&r);
	check_refused(&r);
	check_changed_meanwhile(&r, rounds);
	rig_close(&r);
}

static void test_cpu(void **state)
{
	check("cpu", "", 100);
}

static void test_cuda(void **state)
{
	check("cuda", "seed=1", 4);
}

/*
 * What came with the request is copied, and what was granted is read in place: but for memory
 * that is mapped for reading only, of a device that does not take such.
 */
static void test_cuda_in_place(void **state)
{
	struct rig r;

	rig_open(&r, "cuda", "seed=1");
	check_places(&r);
	assert_int_equal(standin_launches("embed_each_f32"), 2);
	assert_int_equal(standin_launches("embed_f32"), 1);
	rig_close(&r);
	rig_open(&r, "cuda", "write_only=1");
	check_places(&r);
	assert_int_equal(standin_launches("embed_each_f32"), 1);
	assert_int_equal(standin_launches("embed_f32"), 2);
	rig_close(&r);
}

/* A backend that reads ids only where they lie together has them copied there. */
static void test_together(void **state)
{
	struct rig r;

	together = true;
	rig_open(&r, "cpu", "");
	together = false;
	check_references(&r);
	check_places(&r);
	rig_close(&r);
}

static int set_up(void **state)
{
	refs = refs_load_vectors(&ref_count);
	return 0;
}

static int tear_down(void **state)
{
	refs_free(refs, ref_count);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_cuda),
		cmocka_unit_test(test_cuda_in_place),
		cmocka_unit_test(test_together),
	};
	void *standin = dlopen("libcuda.so.1", RTLD_NOW);

	if (standin)
		standin_reset = (void (*)(void))dlsym(standin, "standin_reset");
	if (!standin_reset) {
		printf("not ok 1 - the stand-in driver: %s\n", dlerror());
		return 1;
	}
	standin_launches = (unsigned int (*)(const char *))dlsym(standin, "standin_launches");
	standin_complaints = (unsigned int (*)(void))dlsym(standin, "standin_complaints");
	unsetenv("AIF_CUDA_DEVICE");
	unsetenv("AIF_CUDA_PRECISION");
	unsetenv("AIF_CUDA_WAIT");
	unsetenv("AIF_CUDA_GRAPHS");
	model_folder();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
