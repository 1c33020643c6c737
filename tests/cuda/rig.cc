// SPDX-License-Identifier: MIT
/* TEST CODE: the program around a kernel's tests; prints TAP. */
#include "tests/cuda/rig.h"

#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/device.h"
#include "tests/cuda/emulator.h"
#include "tests/cuda/ptx.h"

#define GUARD 0x5a
#ifdef __SANITIZE_ADDRESS__
static size_t guard_bytes = 0;
#else
static size_t guard_bytes = 64;
#endif

struct block {
	unsigned char *at;
	size_t bytes;
};

/* By what kernels run. */
enum way { TWINS, PTX, DEVICE };

static struct {
	way by;
	ptx_module *ptx;
	void (*released)();
	int64_t order;
	block blocks[256];
	size_t block_count;
	uint64_t seed, digest;
	double worst, plain;
	char failure[512];
} rig;

void rig_fail(const char *fmt, ...)
{
	va_list args;

	if (*rig.failure)
		return;
	va_start(args, fmt);
	vsnprintf(rig.failure, sizeof(rig.failure), fmt, args);
	va_end(args);
}

void *rig_alloc(size_t bytes)
{
	block *b = &rig.blocks[rig.block_count++];
	size_t room = bytes + guard_bytes + !bytes;

	if (rig.block_count > COUNT(rig.blocks))
		abort();
	if (rig.by == DEVICE)
		b->at = (unsigned char *)device_alloc(room);
	else if (posix_memalign((void **)&b->at, 16, room))
		abort();
	if (!b->at) {
		printf("Bail out! %s\n", device_error());
		exit(1);
	}
	b->bytes = bytes;
	memset(b->at, 0xff, bytes);
	memset(b->at + bytes, GUARD, guard_bytes);
	ptx_memory_add(b->at, bytes);
	return b->at;
}

static void free_blocks()
{
	while (rig.block_count) {
		block *b = &rig.blocks[--rig.block_count];

		for (size_t i = 0; i < guard_bytes; i++)
			if (b->at[b->bytes + i] != GUARD)
				rig_fail("a store behind the end of a memory of %zu bytes",
					 b->bytes);
		ptx_memory_remove(b->at);
		if (rig.by == DEVICE)
			device_free(b->at);
		else
			free(b->at);
	}
}

float rig_random()
{
	rig.seed = rig.seed * 6364136223846793005u + 1442695040888963407u;
	return (float)(int32_t)(rig.seed >> 32) * 0x1p-31f;
}

void rig_launch(const aif_cuda_launch &l, const void *args, size_t bytes)
{
	int err;

	if (*rig.failure || !l.grid[0] || !l.grid[1] || !l.grid[2])
		return;
	if (rig.by == DEVICE)
		err = device_launch(&l, args);
	else
		err = rig.by == PTX ? ptx_launch(rig.ptx, &l, args, bytes, rig.order) :
				      emu_launch(&l, args, bytes, rig.order);
	if (err)
		rig_fail("%s: %s", l.kernel, err == -2 ? "no such kernel with such arguments" :
			 rig.by == DEVICE ? device_error() : rig.by == PTX ? ptx_error() : emu_error());
	else if (rig.by == DEVICE && rig.released)
		rig.released();
}

void rig_on_release(void (*fn)())
{
	emu_on_release = fn;
	ptx_on_release(fn);
	rig.released = fn;
}

void rig_judge(double exact, float plain, float got)
{
	if (isnan(exact) != isnan(got) || isinf(exact) != isinf(got))
		rig_fail("%g instead of %g", got, exact);
	if (!isfinite(exact))
		return;
	rig.worst = fmax(rig.worst, fabs(got - exact));
	rig.plain = fmax(rig.plain, fabs(plain - exact));
}

void rig_same(const void *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		rig.digest = (rig.digest ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
}

/* Once; what it saw. */
static uint64_t run_once(const rig_test *test, int64_t order)
{
	rig.order = order;
	rig.seed = 1;
	rig.digest = 0xcbf29ce484222325u;
	test->run();
	rig_on_release(nullptr);
	free_blocks();
	return rig.digest;
}

static bool run_test(const rig_test *test, const char *rung, int number)
{
	double allowed;
	uint64_t up;

	rig.worst = rig.plain = 0;
	*rig.failure = '\0';
	up = run_once(test, EMU_UP);
	if (up != run_once(test, EMU_DOWN) || up != run_once(test, 7))
		rig_fail("another order of threads gives another result");
	/* A plain loop can be right by luck: ask no less than an ulp of 1. */
	allowed = fmax(2 * rig.plain, FLT_EPSILON);
	printf("# %s: error %.1e, %.0f %% of the allowance\n", test->name, rig.worst,
	       100 * rig.worst / allowed);
	if (rig.worst > allowed)
		rig_fail("error %g, allowed %g", rig.worst, allowed);
	if (*rig.failure)
		printf("# %s\n", rig.failure);
	printf("%s %d - %s, %s\n", *rig.failure ? "not ok" : "ok", number, test->name, rung);
	fflush(stdout);
	return !*rig.failure;
}

static bool lacks(const rig_test *t)
{
	if (!t->needs || rig.by == TWINS)
		return false;
	return rig.by == PTX ? !ptx_args_bytes(rig.ptx, t->needs) : !device_has(t->needs);
}

/* RIG_ONLY: part of the names of the tests that are to run; RIG_EXACT: without guards. */
static bool is_wanted(const rig_test *t)
{
	const char *only = getenv("RIG_ONLY");

	return !only || strstr(t->name, only);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* PTX, or a fat binary for the device that is there; the rung, or NULL and it was said why. */
static const char *load(const char *path)
{
	bool is_ptx = !ends_with(path, ".fatbin");
	const char *why = nullptr;

	rig.by = is_ptx ? PTX : DEVICE;
	if (is_ptx) {
		rig.ptx = ptx_load_file(path);
		why = rig.ptx ? nullptr : ptx_error();
	} else if (device_open(path)) {
		why = device_error();
	}
	if (why)
		printf("# %s\nnot ok 1 - %s\n", why, path);
	return why ? nullptr : is_ptx ? "rung 3" : "rung 6";
}

/* ASan and TSan report and end the program themselves. */
int main(int argc, char **argv)
{
#if defined(__SANITIZE_ADDRESS__)
	const char *rung = "rung 2 (address, undefined)";
#elif defined(__SANITIZE_THREAD__)
	const char *rung = "rung 2 (races)";
#else
	const char *rung = "rung 1";
#endif
	int n = 0;
	bool ok = true;

	if (getenv("RIG_EXACT"))
		guard_bytes = 0;
	if (argc == 2)
		rung = load(argv[1]);
	if (!rung)
		return 1;
	for (const rig_test *t = rig_tests; t->name; t++) {
		if (!is_wanted(t))
			continue;
		if (lacks(t))
			printf("ok %d - %s, %s # SKIP not for this architecture\n", ++n, t->name, rung);
		else
			ok &= run_test(t, rung, ++n);
	}
	printf("1..%d\n", n);
	return ok ? 0 : 1;
}
