// SPDX-License-Identifier: MIT
/*
 * TEST CODE.  The execution model of a GPU, as far as kernels/gpu.h uses it.
 *
 * Threads are fibers of one system thread and switch only where they wait, so a run is
 * reproducible; a race shows as a difference between orders, and to the race
 * detector, which knows each fiber as a thread of its own.  It must see no order that a
 * GPU does not promise: switching orders nothing, a barrier orders the block's threads, and
 * blocks beside each other run on different fibers and shared memory (slots).
 */
#include "emulator.h"
#include "kernels/gpu.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifdef EMU_TSAN
#include <sanitizer/tsan_interface.h>
#else
static void *__tsan_create_fiber(unsigned) { return nullptr; }
static void *__tsan_get_current_fiber() { return nullptr; }
static void __tsan_switch_to_fiber(void *, unsigned) {}
static void __tsan_acquire(void *) {}
static void __tsan_release(void *) {}
#endif
#ifdef EMU_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

#define THREADS_MAX 1024
#define LANES 32
#define STACK_BYTES (256 << 10)
#define SHARED_BYTES (256 << 10)
#define SHARED_SITES 32
#define GAP_BYTES 64
#define GAP 0xa5
#define NO_SWITCH_ORDER 1	/* the race detector's flag: switching is no synchronisation */
#ifdef EMU_TSAN
#define SLOTS 3
#else
#define SLOTS 1
#endif

enum state { RUNNABLE, AT_BARRIER, IN_WARP_OP, DONE };

struct lane_op {
	emu_op op;
	uint32_t mask;
	const void *in;
	void *out;
	int arg;
};

struct fiber {
	emu_thread t;
	void *stack, *sp, *tsan;
	state at;
	lane_op op;
};

struct site {
	const void *id;
	size_t offset, bytes;
};

/* What the threads of one block share.  @order: objects that the race detector knows. */
struct slot {
	fiber *fibers;
	unsigned char *shared;
	size_t used;
	site sites[SHARED_SITES];
	unsigned site_count;
	char start_order, end_order, barrier_order[2];
	char warp_order[THREADS_MAX / LANES][2];
	unsigned warp_generation[THREADS_MAX / LANES];
};

static struct {
	slot slots[SLOTS];
	slot *now;
	unsigned threads, arrived, done, barrier_generation;
	const char *barrier_file;
	int barrier_line;
	const emu_kernel *kernel;
	const void *args;
	uint32_t dynamic_bytes;
	void *dynamic;
	void *main_sp, *main_tsan;
	uint64_t seed;
	char launch_start, launch_end;
	char error[256];
	bool failed;
} emu;

static emu_kernel *kernels;
thread_local emu_thread *emu_self;
bool emu_copies_are_early;
void (*emu_on_release)();
uint64_t emu_now_ns;

emu_kernel::emu_kernel(const char *kernel_name, size_t bytes, emu_kernel_fn *fn) :
	name(kernel_name), args_bytes(bytes), run(fn), next(kernels)
{
	kernels = this;
}

__attribute__((format(printf, 1, 2)))
static void fail(const char *fmt, ...)
{
	va_list args;

	if (emu.failed)
		return;
	emu.failed = true;
	va_start(args, fmt);
	vsnprintf(emu.error, sizeof(emu.error), fmt, args);
	va_end(args);
}

void emu_fail(const char *why)
{
	fail("%s", why);
}

const char *emu_error(void)
{
	return emu.error;
}

/* ---- fibers ---- */

/* Saves the caller's registers in its stack and *@from, goes on where @to was saved. */
extern "C" void emu_switch(void **from, void *to);

#if defined(__x86_64__)
asm(".globl emu_switch\n"
    "emu_switch:\n"
    "	pushq %rbp\n	pushq %rbx\n	pushq %r12\n"
    "	pushq %r13\n	pushq %r14\n	pushq %r15\n"
    "	movq %rsp, (%rdi)\n"
    "	movq %rsi, %rsp\n"
    "	popq %r15\n	popq %r14\n	popq %r13\n"
    "	popq %r12\n	popq %rbx\n	popq %rbp\n"
    "	ret\n");

static void *fresh_stack(void *stack, void (*entry)())
{
	void **sp = (void **)((char *)stack + STACK_BYTES) - 1;

	*--sp = (void *)entry;
	for (int i = 0; i < 6; i++)
		*--sp = nullptr;
	return sp;
}
#elif defined(__aarch64__)
asm(".globl emu_switch\n"
    "emu_switch:\n"
    "	sub sp, sp, #160\n"
    "	stp x19, x20, [sp]\n	stp x21, x22, [sp, #16]\n	stp x23, x24, [sp, #32]\n"
    "	stp x25, x26, [sp, #48]\n	stp x27, x28, [sp, #64]\n	stp x29, x30, [sp, #80]\n"
    "	stp d8, d9, [sp, #96]\n	stp d10, d11, [sp, #112]\n"
    "	stp d12, d13, [sp, #128]\n	stp d14, d15, [sp, #144]\n"
    "	mov x2, sp\n	str x2, [x0]\n	mov sp, x1\n"
    "	ldp x19, x20, [sp]\n	ldp x21, x22, [sp, #16]\n	ldp x23, x24, [sp, #32]\n"
    "	ldp x25, x26, [sp, #48]\n	ldp x27, x28, [sp, #64]\n	ldp x29, x30, [sp, #80]\n"
    "	ldp d8, d9, [sp, #96]\n	ldp d10, d11, [sp, #112]\n"
    "	ldp d12, d13, [sp, #128]\n	ldp d14, d15, [sp, #144]\n"
    "	add sp, sp, #160\n	ret\n");

static void *fresh_stack(void *stack, void (*entry)())
{
	void **sp = (void **)((char *)stack + STACK_BYTES) - 20;

	memset(sp, 0, 160);
	sp[11] = (void *)entry;
	return sp;
}
#else
#error "write emu_switch() for this processor"
#endif

static fiber *self()
{
	return (fiber *)emu_self;
}

static void to_scheduler()
{
	fiber *f = self();

	__tsan_switch_to_fiber(emu.main_tsan, NO_SWITCH_ORDER);
	emu_switch(&f->sp, emu.main_sp);
}

static void run_fiber(fiber *f)
{
	emu_self = &f->t;
	__tsan_switch_to_fiber(f->tsan, NO_SWITCH_ORDER);
	emu_switch(&emu.main_sp, f->sp);
}

static void fiber_main()
{
	for (;;) {
		slot *s = emu.now;

		__tsan_acquire(&emu.launch_start);
		__tsan_acquire(&s->start_order);
		emu.kernel->run(emu.args);
		__tsan_release(&s->end_order);
		__tsan_release(&emu.launch_end);
		self()->at = DONE;
		emu.done++;
		if (emu.arrived && emu.arrived + emu.done == emu.threads)
			fail("divergent barrier: thread %u ended, others wait at %s:%d",
			     emu_self->thread.x, emu.barrier_file, emu.barrier_line);
		to_scheduler();
	}
}

static void make_fiber(fiber *f)
{
	f->stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f->stack == MAP_FAILED)
		abort();
	mprotect(f->stack, 4096, PROT_NONE);
	f->sp = fresh_stack(f->stack, fiber_main);
	f->tsan = __tsan_create_fiber(0);
}

/* ---- waiting ---- */

static void wait_in(state at)
{
	self()->at = at;
	to_scheduler();
}

static void leave_barrier()
{
	emu.arrived = 0;
	emu.barrier_generation++;
	for (unsigned i = 0; i < emu.threads; i++)
		emu.now->fibers[i].at = RUNNABLE;
}

void emu_block_sync(const char *file, int line)
{
	char *order = &emu.now->barrier_order[emu.barrier_generation % 2];

	if (!emu.arrived) {
		emu.barrier_file = file;
		emu.barrier_line = line;
	} else if (line != emu.barrier_line || strcmp(file, emu.barrier_file)) {
		fail("divergent barrier: %s:%d and %s:%d", file, line, emu.barrier_file,
		     emu.barrier_line);
	}
	if (emu.done)
		fail("divergent barrier: at %s:%d, where %u threads have ended", file, line,
		     emu.done);
	__tsan_release(order);
	if (++emu.arrived == emu.threads)
		leave_barrier();
	else
		wait_in(AT_BARRIER);
	__tsan_acquire(order);
}

void emu_fence()
{
	emu_self->has_fenced = true;
	if (emu_self->atomic)
		__tsan_acquire(emu_self->atomic);
}

void emu_atomic(void *at)
{
	emu_self->atomic = at;
	if (emu_self->has_fenced)
		__tsan_release(at);
}

static void shuffle(fiber *lanes, uint32_t mask)
{
	for (unsigned i = 0; i < LANES; i++) {
		const lane_op *o = &lanes[i].op;
		unsigned from = i ^ o->arg;

		if (!(mask >> i & 1))
			continue;
		if (from >= LANES || !(mask >> from & 1))
			fail("lane %u reads lane %u, which is not in the mask %08x", i, from, mask);
		else
			memcpy(o->out, lanes[from].op.in, 4);
	}
}

/*
 * Eight rows of eight 16-bit elements are a matrix; lane l brought row l % 8 of matrix
 * l / 8.  Lane l takes elements (l / 4, 2 (l % 4)) and the next, of each or of its transpose.
 */
static void ldmatrix(fiber *lanes, bool transposed)
{
	for (unsigned l = 0; l < LANES; l++) {
		uint16_t *out = (uint16_t *)lanes[l].op.out;

		for (unsigned m = 0; m < 4; m++) {
			for (unsigned i = 0; i < 2; i++) {
				unsigned r = l / 4, c = 2 * (l % 4) + i;

				if (transposed)
					std::swap(r, c);
				out[2 * m + i] = ((const uint16_t *)lanes[8 * m + r].op.in)[c];
			}
		}
	}
}

/* D = A . B + C of 16 x 8, in whole matrices, 16 deep, or 8 of tf32. */
struct tile {
	float a[16][16], b[16][8];
};

static float widen(emu_op op, uint32_t half)
{
	return op == EMU_MMA_F16 ? aif_from_f16(half) : aif_from_bf16(half);
}

static void scatter_16(tile *t, const emu_mma *in, unsigned lane, emu_op op)
{
	unsigned g = lane / 4, k = 2 * (lane % 4);

	for (unsigned half = 0; half < 2; half++) {
		for (unsigned reg = 0; reg < 4; reg++)
			t->a[g + 8 * (reg % 2)][k + half + 8 * (reg / 2)] =
				widen(op, in->a[reg] >> (16 * half) & 0xffff);
		for (unsigned reg = 0; reg < 2; reg++)
			t->b[k + half + 8 * reg][g] = widen(op, in->b[reg] >> (16 * half) & 0xffff);
	}
}

/* The unit reads the upper 19 bits. */
static void scatter_tf32(tile *t, const emu_mma *in, unsigned lane)
{
	unsigned g = lane / 4, k = lane % 4;

	for (unsigned reg = 0; reg < 4; reg++)
		t->a[g + 8 * (reg % 2)][k + 4 * (reg / 2)] =
			aif_f32_of(in->a[reg] & 0xffffe000);
	for (unsigned reg = 0; reg < 2; reg++)
		t->b[k + 4 * reg][g] = aif_f32_of(in->b[reg] & 0xffffe000);
}

static void mma(fiber *lanes, emu_op op)
{
	unsigned depth = op == EMU_MMA_TF32 ? 8 : 16;
	float d[16][8] = {};
	tile t;

	for (unsigned l = 0; l < LANES; l++) {
		const emu_mma *in = (const emu_mma *)lanes[l].op.in;

		if (op == EMU_MMA_TF32)
			scatter_tf32(&t, in, l);
		else
			scatter_16(&t, in, l, op);
	}
	for (unsigned m = 0; m < 16; m++)
		for (unsigned k = 0; k < depth; k++)
			for (unsigned n = 0; n < 8; n++)
				d[m][n] += t.a[m][k] * t.b[k][n];
	for (unsigned l = 0; l < LANES; l++) {
		float *out = (float *)lanes[l].op.out;

		for (unsigned i = 0; i < 4; i++)
			out[i] = ((const emu_mma *)lanes[l].op.in)->c[i] +
				 d[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2];
	}
}

static void perform(fiber *lanes, const lane_op *o)
{
	switch (o->op) {
	case EMU_WARP_SYNC:
		break;
	case EMU_SHFL_XOR:
		shuffle(lanes, o->mask);
		break;
	case EMU_LDMATRIX:
		ldmatrix(lanes, o->arg);
		break;
	case EMU_MMA_BF16:
	case EMU_MMA_F16:
	case EMU_MMA_TF32:
		mma(lanes, o->op);
		break;
	}
}

/* Whether all lanes of the operation are there; an error when one does something else. */
static bool all_meet(const fiber *lanes, const lane_op *o)
{
	bool all = true;

	for (unsigned i = 0; i < LANES; i++) {
		if (!(o->mask >> i & 1))
			continue;
		if (lanes[i].at != IN_WARP_OP)
			all = false;
		else if (lanes[i].op.op != o->op || lanes[i].op.mask != o->mask)
			fail("lanes of a warp meet in different operations: %d and %d",
			     lanes[i].op.op, o->op);
	}
	return all;
}

void emu_warp(emu_op op, uint32_t mask, const void *in, void *out, int arg)
{
	fiber *f = self();
	unsigned index = f - emu.now->fibers, warp = index / LANES;
	fiber *lanes = emu.now->fibers + warp * LANES;
	char *order = &emu.now->warp_order[warp][emu.now->warp_generation[warp] % 2];

	if (!(mask >> index % LANES & 1))
		fail("lane %u is not in its own mask %08x", index % LANES, mask);
	if (op == EMU_WARP_SYNC)
		__tsan_release(order);
	f->op = { op, mask, in, out, arg };
	f->at = IN_WARP_OP;
	if (all_meet(lanes, &f->op)) {
		perform(lanes, &f->op);
		emu.now->warp_generation[warp] += op == EMU_WARP_SYNC;
		for (unsigned i = 0; i < LANES; i++)
			if (mask >> i & 1)
				lanes[i].at = RUNNABLE;
	} else {
		to_scheduler();
	}
	if (op == EMU_WARP_SYNC)
		__tsan_acquire(order);
}

/* ---- shared memory: NaN at first, gaps around what a kernel declares ---- */

/* Not memset(), which the race detector would see. */
static void fill(unsigned char *at, unsigned char byte, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		((volatile unsigned char *)at)[i] = byte;
}

static void *carve(size_t bytes, size_t align)
{
	slot *s = emu.now;
	size_t at = (s->used + align - 1) / align * align;

	if (at + bytes + GAP_BYTES > SHARED_BYTES) {
		fail("more than %d bytes of shared memory", SHARED_BYTES);
		at = 0;
	}
	s->used = at + bytes + GAP_BYTES;
	ASAN_UNPOISON_MEMORY_REGION(s->shared + at, bytes);
	fill(s->shared + at, 0xff, bytes);
	return s->shared + at;
}

void *emu_shared(const void *id, size_t bytes, size_t align)
{
	slot *s = emu.now;
	void *at;

	for (unsigned i = 0; i < s->site_count; i++)
		if (s->sites[i].id == id)
			return s->shared + s->sites[i].offset;
	if (s->site_count == SHARED_SITES)
		abort();
	at = carve(bytes, align);
	s->sites[s->site_count++] = { id, (size_t)((unsigned char *)at - s->shared), bytes };
	return at;
}

void *emu_dynamic_shared()
{
	return emu.dynamic;
}

static void open_shared(slot *s)
{
	s->used = GAP_BYTES;
	s->site_count = 0;
	fill(s->shared, GAP, GAP_BYTES);
	emu.dynamic = carve(emu.dynamic_bytes, 128);
	s->sites[s->site_count++] = { nullptr, (size_t)((unsigned char *)emu.dynamic - s->shared),
				      emu.dynamic_bytes };
}

/* Every byte between what was carved must be as it was. */
static void close_shared(slot *s)
{
	ASAN_UNPOISON_MEMORY_REGION(s->shared, SHARED_BYTES);
	for (size_t at = 0; at < s->used; at++) {
		bool inside = false;

		for (unsigned i = 0; i < s->site_count; i++)
			inside |= at >= s->sites[i].offset &&
				  at < s->sites[i].offset + s->sites[i].bytes;
		if (!inside && ((volatile unsigned char *)s->shared)[at] != GAP)
			fail("a store outside of shared memory, at byte %zu", at);
	}
	fill(s->shared, GAP, s->used);
	ASAN_POISON_MEMORY_REGION(s->shared, SHARED_BYTES);
}

static void make_slot(slot *s)
{
	s->fibers = (fiber *)calloc(THREADS_MAX, sizeof(fiber));
	s->shared = (unsigned char *)mmap(nullptr, SHARED_BYTES, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!s->fibers || s->shared == MAP_FAILED)
		abort();
	fill(s->shared, GAP, SHARED_BYTES);
	ASAN_POISON_MEMORY_REGION(s->shared, SHARED_BYTES);
}

/* ---- running ---- */

static unsigned random_below(unsigned n)
{
	emu.seed = emu.seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((emu.seed >> 33) % n);
}

static void make_order(unsigned *order, unsigned n, int64_t how)
{
	for (unsigned i = 0; i < n; i++)
		order[i] = how == EMU_DOWN ? n - 1 - i : i;
	for (unsigned i = n; how >= 0 && i > 1; i--) {
		unsigned j = random_below(i), swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

static void begin_thread(fiber *f, unsigned index, const aif_cuda_launch *l, unsigned block)
{
	if (!f->stack)
		make_fiber(f);
	f->at = RUNNABLE;
	f->t.copies = f->t.group = 0;
	f->t.has_fenced = false;
	f->t.atomic = nullptr;
	f->t.thread = { index, 0, 0 };
	f->t.block_dim = { l->threads, 1, 1 };
	f->t.grid_dim = { l->grid[0], l->grid[1], l->grid[2] };
	f->t.block = { block % l->grid[0], block / l->grid[0] % l->grid[1],
		       block / l->grid[0] / l->grid[1] };
}

static bool run_threads(const unsigned *order, unsigned n)
{
	bool progress = false;

	for (unsigned i = 0; i < n && !emu.failed; i++) {
		fiber *f = &emu.now->fibers[order[i]];

		if (f->at != RUNNABLE)
			continue;
		run_fiber(f);
		progress = true;
	}
	return progress;
}

static void report_deadlock(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const fiber *f = &emu.now->fibers[i];

		if (f->at != DONE)
			fail("no progress: block %u thread %u waits in %s", f->t.block.x, i,
			     f->at == AT_BARRIER ? "a barrier" : "a warp's operation");
	}
}

static void run_block(const aif_cuda_launch *l, unsigned block, int64_t how)
{
	unsigned order[THREADS_MAX];

	emu.now = &emu.slots[block % SLOTS];
	emu.arrived = emu.done = 0;
	if (!emu.now->fibers)
		make_slot(emu.now);
	open_shared(emu.now);
	for (unsigned i = 0; i < l->threads; i++)
		begin_thread(&emu.now->fibers[i], i, l, block);
	/* What ran here before is over: this slot's memory is free, no other block's. */
	__tsan_acquire(&emu.now->end_order);
	__tsan_release(&emu.now->start_order);
	make_order(order, l->threads, how);
	while (emu.done < l->threads && !emu.failed)
		if (!run_threads(order, l->threads))
			report_deadlock(l->threads);
	close_shared(emu.now);
}

/* After an error fibers hang in the middle of their kernel: they are made anew. */
static void drop_fibers()
{
	for (unsigned s = 0; s < SLOTS; s++)
		for (unsigned i = 0; emu.slots[s].fibers && i < THREADS_MAX; i++)
			emu.slots[s].fibers[i].stack = nullptr;
}

static const emu_kernel *find(const char *name)
{
	const emu_kernel *k = kernels;

	while (k && strcmp(k->name, name))
		k = k->next;
	return k;
}

size_t emu_args_bytes(const char *name)
{
	const emu_kernel *k = find(name);

	return k ? k->args_bytes : 0;
}

const char *emu_kernel_name(size_t index)
{
	const emu_kernel *k = kernels;

	while (k && index--)
		k = k->next;
	return k ? k->name : nullptr;
}

int emu_launch(const aif_cuda_launch *l, const void *args, size_t args_bytes, int64_t how)
{
	unsigned blocks = l->grid[0] * l->grid[1] * l->grid[2];
	unsigned *order = (unsigned *)calloc(blocks + 1, sizeof(*order));

	emu.kernel = find(l->kernel);
	if (!order || !emu.kernel || emu.kernel->args_bytes != args_bytes ||
	    l->threads > THREADS_MAX || l->threads % LANES) {
		free(order);
		return -2;
	}
	emu.args = args;
	emu.threads = l->threads;
	emu.dynamic_bytes = l->shared;
	emu.failed = false;
	emu.seed = how + 1;
	emu_copies_are_early = how == EMU_DOWN || how % 2 == 1;
	emu.main_tsan = __tsan_get_current_fiber();
	__tsan_release(&emu.launch_start);
	make_order(order, blocks, how);
	for (unsigned i = 0; i < blocks && !emu.failed; i++)
		run_block(l, order[i], how);
	__tsan_acquire(&emu.launch_end);
	if (emu.failed)
		drop_fibers();
	free(order);
	return emu.failed ? -1 : 0;
}
