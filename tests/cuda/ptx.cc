// SPDX-License-Identifier: MIT
/*
 * TEST CODE.  Executes what ptx_parse.cc made.  A thread is a program counter and
 * registers; it runs until it waits, and a warp's operation happens when all of its
 * lanes stand at it.  mma and ldmatrix are written from the PTX ISA's figures, by asking for
 * each element who holds it: the emulator (emulator.cc) goes the other way round.
 */
#include "tests/cuda/ptx.h"

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/ptx_parse.h"

#define LANES 32
#define COPIES_MAX 64
#define STEPS_MAX (1ull << 36)

/* A function failed: it has said why. */
#define TRY(call)		\
	do {			\
		if (!(call))	\
			return false;	\
	} while (0)

enum state { RUNNABLE, AT_BARRIER, IN_WARP_OP, DONE };

/* An asynchronous copy that has not landed. */
struct copy {
	unsigned char *to;
	uint64_t from;
	unsigned bytes, group;
	int line;
};

struct thread {
	uint64_t *regs;
	int pc;
	state at;
	unsigned index, group, copies;
	copy copy_[COPIES_MAX];
};

struct run {
	const ptx_kernel *k;
	const aif_cuda_launch *l;
	const unsigned char *args;
	unsigned block[3];
	std::vector<uint64_t> regs;
	std::vector<thread> threads;
	std::vector<unsigned char> shared, dynamic;
	unsigned waiting, done;
	bool copies_are_early;	/* cp.async lands at once, or only at its wait */
	bool stored;		/* by this block, in global memory, since it fenced for the system */
	bool left_stored;	/* a block has arrived, or ended, so */
	uint64_t seed;
};

/* ---- memory ---- */

static std::map<uintptr_t, size_t> memories;
static uintptr_t last_at;	/* the one that was touched last: mostly the next, too */
static size_t last_bytes;

void ptx_memory_add(const void *at, size_t bytes)
{
	last_bytes = 0;
	memories[(uintptr_t)at] = bytes;
}

void ptx_memory_remove(const void *at)
{
	last_bytes = 0;
	memories.erase((uintptr_t)at);
}

static bool is_memory(uint64_t at, size_t bytes)
{
	if (at - last_at < last_bytes && bytes <= last_at + last_bytes - at)
		return true;

	auto it = memories.upper_bound(at);

	if (it == memories.begin())
		return false;
	--it;
	if (at - it->first > it->second || bytes > it->first + it->second - at)
		return false;
	last_at = it->first;
	last_bytes = it->second;
	return true;
}

static unsigned char *inside(std::vector<unsigned char> &area, uint64_t base, uint64_t at,
			     size_t bytes)
{
	return at >= base && at - base <= area.size() && bytes <= area.size() - (at - base) ?
	       area.data() + (at - base) : nullptr;
}

/* The host's address of what a kernel calls @at; NULL: it may not. */
static unsigned char *resolve(run &r, ptx_space space, uint64_t at, size_t bytes)
{
	unsigned char *p = nullptr;

	if (space == S_GENERIC && at >= PTX_SHARED_WINDOW) {
		at -= PTX_SHARED_WINDOW;
		space = S_SHARED;
	}
	if (space == S_SHARED) {
		p = inside(r.shared, PTX_SHARED_BASE, at, bytes);
		return p ? p : inside(r.dynamic, PTX_DYNAMIC_BASE, at, bytes);
	}
	if (space == S_PARAM)
		return at >= PTX_PARAM_BASE && at + bytes <= PTX_PARAM_BASE + r.k->param_bytes ?
		       (unsigned char *)r.args + (at - PTX_PARAM_BASE) : nullptr;
	return is_memory(at, bytes) ? (unsigned char *)at : nullptr;
}

static bool find(run &r, const thread &t, const ptx_instr &i, ptx_space space, uint64_t at,
		 size_t bytes, unsigned char **p)
{
	if (at % bytes)
		return ptx_fail(i.line, "thread %u: address 0x%llx is not aligned to %zu", t.index,
				(unsigned long long)at, bytes);
	*p = resolve(r, space, at, bytes);
	return *p || ptx_fail(i.line, "thread %u: no memory of %zu bytes at 0x%llx", t.index,
			      bytes, (unsigned long long)at);
}

/* ---- values ---- */

static size_t bytes_of(ptx_type t)
{
	switch (t) {
	case T_B8: case T_U8: case T_S8:
		return 1;
	case T_B16: case T_U16: case T_S16: case T_BF16: case T_F16:
		return 2;
	case T_B64: case T_U64: case T_S64: case T_F64:
		return 8;
	default:
		return 4;
	}
}

static bool is_signed(ptx_type t)
{
	return t == T_S8 || t == T_S16 || t == T_S32 || t == T_S64;
}

static float as_f32(uint64_t v)
{
	uint32_t bits = (uint32_t)v;
	float f = 0;

	memcpy(&f, &bits, 4);
	return f;
}

static uint64_t of_f32(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, 4);
	return bits;
}

static uint64_t cut(uint64_t v, size_t bytes)
{
	return bytes == 8 ? v : v & ((1ull << (8 * bytes)) - 1);
}

static uint64_t extend(uint64_t v, ptx_type t)
{
	size_t bytes = bytes_of(t);

	v = cut(v, bytes);
	if (is_signed(t) && bytes < 8 && v >> (8 * bytes - 1))
		v |= ~0ull << (8 * bytes);
	return v;
}

static float flush(float f, bool ftz)
{
	return ftz && fpclassify(f) == FP_SUBNORMAL ? copysignf(0, f) : f;
}

static uint64_t now_ns;	/* a microsecond a reading */

static uint64_t special(const run &r, const thread &t, uint64_t which)
{
	switch (which) {
	case X_TID_X:
		return t.index;
	case X_CTAID_X: case X_CTAID_Y: case X_CTAID_Z:
		return r.block[which - X_CTAID_X];
	case X_NTID_X:
		return r.l->threads;
	case X_NCTAID_X: case X_NCTAID_Y: case X_NCTAID_Z:
		return r.l->grid[which - X_NCTAID_X];
	case X_NTID_Y: case X_NTID_Z:
		return 1;
	case X_LANEID:
		return t.index % LANES;
	case X_GLOBALTIMER:
		return now_ns += 1000;
	}
	return 0;
}

static inline uint64_t get(const run &r, const thread &t, const ptx_operand &o)
{
	uint64_t v = 0;

	if (o.kind == K_SPECIAL)
		return special(r, t, o.value);
	v = o.kind == K_REG ? t.regs[o.reg] : o.value;
	return o.negated ? !v : v;
}

static inline float get_f32(const run &r, const thread &t, const ptx_instr &i, int n)
{
	return flush(as_f32(get(r, t, i.o[n])), i.ftz);
}

static inline void put(thread &t, const ptx_operand &o, uint64_t v)
{
	if (o.reg >= 0)
		t.regs[o.reg] = v;
}

static uint64_t address(const thread &t, const ptx_operand &o)
{
	return (o.reg >= 0 ? t.regs[o.reg] : 0) + o.value;
}

/* ---- arithmetic ---- */

/* a * b + c, once rounded as asked. */
static float fused(float a, float b, float c, ptx_round round)
{
	volatile float x = a, y = b, z = c, v;
	int how = round == R_RM ? FE_DOWNWARD : round == R_RP ? FE_UPWARD :
		  round == R_RZ ? FE_TOWARDZERO : FE_TONEAREST;

	if (how == FE_TONEAREST)
		return fmaf(a, b, c);
	fesetround(how);
	v = fmaf(x, y, z);
	fesetround(FE_TONEAREST);
	return v;
}

static bool calculate_f32(const run &r, const thread &t, const ptx_instr &i, float *v)
{
	float a = get_f32(r, t, i, 1), b = i.operands > 2 ? get_f32(r, t, i, 2) : 0;

	if (i.round != R_NONE && i.round != R_RN && i.op != P_FMA)
		return ptx_fail(i.line, "a rounding that is not known");
	switch (i.op) {
	case P_ADD: *v = a + b; break;
	case P_SUB: *v = a - b; break;
	case P_MUL: *v = a * b; break;
	case P_DIV: *v = a / b; break;
	case P_FMA: *v = fused(a, b, get_f32(r, t, i, 3), i.round); break;
	case P_MIN: *v = fminf(a, b); break;
	case P_MAX: *v = fmaxf(a, b); break;
	case P_NEG: *v = -a; break;
	case P_ABS: *v = fabsf(a); break;
	case P_COPYSIGN: *v = copysignf(b, a); break;
	case P_EX2: *v = exp2f(a); break;
	case P_LG2: *v = log2f(a); break;
	case P_RCP: *v = 1 / a; break;
	case P_SQRT: *v = sqrtf(a); break;
	case P_RSQRT: *v = 1 / sqrtf(a); break;
	default:
		return ptx_fail(i.line, "not an operation on f32");
	}
	*v = flush(*v, i.ftz);
	if (i.saturate)
		*v = !(*v > 0) ? 0 : *v > 1 ? 1 : *v;
	return true;
}

static uint64_t high_product(uint64_t a, uint64_t b, const ptx_instr &i)
{
	size_t bits = 8 * bytes_of(i.type);

	if (is_signed(i.type))
		return (uint64_t)(((__int128)(int64_t)a * (int64_t)b) >> bits);
	return (uint64_t)(((unsigned __int128)a * b) >> bits);
}

static uint64_t product(uint64_t a, uint64_t b, const ptx_instr &i)
{
	return i.part == W_HI ? high_product(a, b, i) : a * b;
}

static uint64_t shift(uint64_t v, uint64_t n, const ptx_instr &i)
{
	uint64_t bits = 8 * bytes_of(i.type);

	n = cut(n, 4);
	if (i.op == P_SHL)
		return n >= bits ? 0 : v << n;
	if (is_signed(i.type))
		return (uint64_t)((int64_t)v >> (n >= bits ? bits - 1 : n));
	return n >= bits ? 0 : v >> n;
}

static bool quotient(uint64_t a, uint64_t b, const ptx_instr &i, uint64_t *v)
{
	if (!b)
		return ptx_fail(i.line, "division by zero");
	if (is_signed(i.type))
		*v = i.op == P_DIV ? (uint64_t)((int64_t)a / (int64_t)b) :
				     (uint64_t)((int64_t)a % (int64_t)b);
	else
		*v = i.op == P_DIV ? a / b : a % b;
	return true;
}

static uint64_t permute(uint64_t a, uint64_t b, uint64_t how)
{
	uint64_t all = cut(a, 4) | cut(b, 4) << 32, v = 0;

	for (int k = 0; k < 4; k++) {
		uint64_t pick = how >> (4 * k) & 0xf, byte = all >> (8 * (pick & 7)) & 0xff;

		if (pick & 8)
			byte = byte & 0x80 ? 0xff : 0;
		v |= byte << (8 * k);
	}
	return v;
}

/* bfe: @b bits from @a on of v, with a sign where the type has one; bfi: put there. */
static uint64_t bit_field(uint64_t v, uint64_t a, uint64_t b, const ptx_instr &i)
{
	uint64_t bits = 8 * bytes_of(i.type), at = a & 0xff, n = b & 0xff, field;

	if (at >= bits || !n)
		return 0;
	n = n > bits - at ? bits - at : n;
	field = v >> at & (n == 64 ? ~0ull : (1ull << n) - 1);
	if (is_signed(i.type) && field >> (n - 1) & 1)
		field |= n == 64 ? 0 : ~0ull << n;
	return field;
}

static uint64_t bit_insert(uint64_t field, uint64_t v, uint64_t at, uint64_t n)
{
	uint64_t mask = (n >= 64 ? ~0ull : (1ull << n) - 1) << at;

	return (v & ~mask) | (field << at & mask);
}

static bool calculate(const run &r, const thread &t, const ptx_instr &i, uint64_t *v)
{
	uint64_t a = extend(get(r, t, i.o[1]), i.type);
	uint64_t b = i.operands > 2 ? extend(get(r, t, i.o[2]), i.type) : 0;

	switch (i.op) {
	case P_ADD: *v = a + b; break;
	case P_SUB: *v = a - b; break;
	case P_MUL: *v = product(a, b, i); break;
	case P_MAD: *v = product(a, b, i) + get(r, t, i.o[3]); break;
	case P_DIV: case P_REM: return quotient(a, b, i, v);
	case P_MIN: *v = is_signed(i.type) ? ((int64_t)a < (int64_t)b ? a : b) : a < b ? a : b;
		    break;
	case P_MAX: *v = is_signed(i.type) ? ((int64_t)a > (int64_t)b ? a : b) : a > b ? a : b;
		    break;
	case P_NEG: *v = -a; break;
	case P_ABS: *v = (int64_t)a < 0 ? -a : a; break;
	case P_AND: *v = a & b; break;
	case P_OR: *v = a | b; break;
	case P_XOR: *v = a ^ b; break;
	case P_NOT: *v = i.type == T_PRED ? !a : ~a; break;
	case P_SHL: case P_SHR: *v = shift(a, get(r, t, i.o[2]), i); break;
	case P_PRMT: *v = permute(a, b, get(r, t, i.o[3])); break;
	case P_BFE: *v = bit_field(a, get(r, t, i.o[2]), get(r, t, i.o[3]), i); break;
	case P_BFI: *v = bit_insert(a, b, get(r, t, i.o[3]), get(r, t, i.o[4])); break;
	default:
		return ptx_fail(i.line, "not an operation on integers");
	}
	*v = cut(*v, i.part == W_WIDE ? 2 * bytes_of(i.type) : bytes_of(i.type));
	return true;
}

template <typename T>
static bool holds(ptx_compare how, T a, T b)
{
	switch (how) {
	case C_EQ: return a == b;
	case C_NE: return a < b || a > b;
	case C_LT: return a < b;
	case C_LE: return a <= b;
	case C_GT: return a > b;
	case C_GE: return a >= b;
	case C_NUM: return a == a && b == b;
	case C_NAN: return a != a || b != b;
	}
	return false;
}

static bool compare(const run &r, thread &t, const ptx_instr &i)
{
	uint64_t a = extend(get(r, t, i.o[1]), i.type), b = extend(get(r, t, i.o[2]), i.type);
	bool v;

	if (i.type == T_F32) {
		float x = get_f32(r, t, i, 1), y = get_f32(r, t, i, 2);

		v = holds(i.compare, x, y) || (i.unordered && (x != x || y != y));
	} else if (is_signed(i.type)) {
		v = holds(i.compare, (int64_t)a, (int64_t)b);
	} else {
		v = holds(i.compare, a, b);
	}
	if (i.combine) {
		bool c = get(r, t, i.o[3]);

		v = i.combine == 'a' ? v && c : i.combine == 'o' ? v || c : v != c;
	}
	put(t, i.o[0], v);
	if (i.o[0].second >= 0)
		return ptx_fail(i.line, "a second predicate");
	return true;
}

/* ---- conversions ---- */

static uint64_t to_bf16(float f)
{
	uint32_t bits = (uint32_t)of_f32(f), low = bits & 0xffff, high = bits >> 16;

	if (f != f)
		return 0x7fff;
	return high + (low > 0x8000 || (low == 0x8000 && (high & 1)));
}

/* By its definition: a whole multiple of the last bit, ties to even. */
static uint64_t to_f16(float f)
{
	uint64_t sign = signbit(f) ? 0x8000 : 0;
	double v = fabs((double)f);
	int exponent;

	if (f != f)
		return 0x7fff;
	if (v >= 65520)
		return sign | 0x7c00;
	frexp(v, &exponent);
	exponent = v == 0 || exponent < -13 ? -24 : exponent - 11;
	return sign | ((exponent + 24) * 1024 + (uint64_t)nearbyint(ldexp(v, -exponent)));
}

static float from_f16(uint64_t v)
{
	int exponent = v >> 10 & 31, fraction = v & 1023;
	double value = exponent == 31 ? (fraction ? NAN : INFINITY) :
		       exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);

	return (float)(v >> 15 & 1 ? -value : value);
}

/* To nearest, ties away from zero, 10 bits of fraction. */
static uint64_t to_tf32(float f)
{
	uint32_t bits = (uint32_t)of_f32(f);

	return f != f || isinf(f) ? bits : (bits + 0x1000) & 0xffffe000;
}

static float to_integral(float f, ptx_round round)
{
	switch (round) {
	case R_RZI: case R_RZ: return truncf(f);
	case R_RMI: return floorf(f);
	case R_RPI: return ceilf(f);
	default: return nearbyintf(f);
	}
}

/* Saturates, as the conversion does; NaN is 0. */
static uint64_t to_integer(float f, const ptx_instr &i)
{
	double bits = 8 * bytes_of(i.type), v = to_integral(f, i.round);
	double least = is_signed(i.type) ? -exp2(bits - 1) : 0;
	double most = exp2(bits - is_signed(i.type));

	if (v != v)
		return 0;
	if (v >= most)
		return is_signed(i.type) ? (1ull << ((int)bits - 1)) - 1 : cut(~0ull, bits / 8);
	if (v < least)
		v = least;
	return v < 0 ? (uint64_t)(int64_t)v : (uint64_t)v;
}

static bool convert(const run &r, thread &t, const ptx_instr &i)
{
	uint64_t a = get(r, t, i.o[1]), v;
	float f = flush(as_f32(a), i.ftz);

	if (i.from == T_F32 && i.type == T_F32) {
		v = of_f32(i.round == R_NONE ? f : to_integral(f, i.round));
		if (i.saturate)
			v = of_f32(!(f > 0) ? 0 : f > 1 ? 1 : f);
	} else if (i.from == T_F32 && i.type == T_BF16) {
		v = to_bf16(f);
	} else if (i.from == T_F32 && i.type == T_F16 && i.round == R_RN) {
		v = to_f16(f);
	} else if (i.from == T_F16 && i.type == T_F32) {
		v = of_f32(from_f16(a));
	} else if (i.from == T_F32 && i.type == T_TF32 && i.round == R_RNA) {
		v = to_tf32(f);
	} else if (i.from == T_F32 && i.type <= T_S64) {
		v = cut(to_integer(f, i), bytes_of(i.type));
	} else if (i.from == T_BF16 && i.type == T_F32) {
		v = a << 16;
	} else if (i.from <= T_S64 && i.type == T_F32) {
		a = extend(a, i.from);
		v = of_f32(is_signed(i.from) ? (float)(int64_t)a : (float)a);
	} else if (i.from <= T_S64 && i.type <= T_S64 && !i.saturate) {
		v = cut(extend(a, i.from), bytes_of(i.type));
	} else {
		return ptx_fail(i.line, "a conversion that is not known");
	}
	put(t, i.o[0], v);
	return true;
}

/* ---- moving ---- */

static void (*on_release)(void);

void ptx_on_release(void (*fn)(void))
{
	on_release = fn;
}

static bool move(const run &r, thread &t, const ptx_instr &i)
{
	const ptx_operand &to = i.o[0], &from = i.o[1];
	size_t bytes = bytes_of(i.type);
	uint64_t v = 0;

	if (from.kind == K_VEC) {
		bytes /= from.count;
		for (int k = 0; k < from.count; k++)
			v |= cut(t.regs[from.vec[k]], bytes) << (8 * bytes * k);
		put(t, to, v);
	} else if (to.kind == K_VEC) {
		bytes /= to.count;
		v = get(r, t, from);
		for (int k = 0; k < to.count; k++)
			if (to.vec[k] >= 0)
				t.regs[to.vec[k]] = cut(v >> (8 * bytes * k), bytes);
	} else {
		put(t, to, i.type == T_PRED ? !!get(r, t, from) : cut(get(r, t, from), bytes));
	}
	return true;
}

static bool move_memory(run &r, thread &t, const ptx_instr &i)
{
	bool load = i.op == P_LD;
	const ptx_operand &regs = i.o[load ? 0 : 1], &where = i.o[load ? 1 : 0];
	size_t bytes = bytes_of(i.type);
	unsigned char *p = nullptr;

	TRY(find(r, t, i, i.space, address(t, where), bytes * i.vector, &p));
	if (!load && i.space != S_SHARED && address(t, where) < PTX_SHARED_WINDOW)
		r.stored = true;
	if (i.released && r.left_stored)
		return ptx_fail(i.line, "the host is told of stores that a block has not fenced for it");
	for (int k = 0; k < i.vector; k++, p += bytes) {
		int reg = regs.kind == K_VEC ? regs.vec[k] : regs.reg;
		uint64_t v = 0;

		if (load) {
			memcpy(&v, p, bytes);
			if (reg >= 0)
				t.regs[reg] = extend(v, i.type);
		} else {
			v = regs.kind == K_VEC ? t.regs[reg] : get(r, t, regs);
			memcpy(p, &v, bytes);
		}
	}
	if (i.released && on_release)
		on_release();
	return true;
}

static bool add_atomically(run &r, thread &t, const ptx_instr &i)
{
	unsigned char *p = nullptr;
	uint32_t old = 0, v;

	TRY(find(r, t, i, i.space, address(t, i.o[1]), 4, &p));
	r.left_stored = r.left_stored || r.stored;
	memcpy(&old, p, 4);
	v = old + (uint32_t)get(r, t, i.o[2]);
	memcpy(p, &v, 4);
	put(t, i.o[0], old);
	return true;
}

static void copy_land(const copy &c)
{
	memset(c.to, 0, 16);
	if (c.bytes)
		memcpy(c.to, (const void *)c.from, c.bytes);
}

static bool copy_begin(run &r, thread &t, const ptx_instr &i)
{
	unsigned bytes = i.operands > 3 ? (unsigned)get(r, t, i.o[3]) : 16;
	copy c = { nullptr, address(t, i.o[1]), bytes, t.group, i.line };
	unsigned char *from;

	if (get(r, t, i.o[2]) != 16 || bytes > 16 || t.copies == COPIES_MAX)
		return ptx_fail(i.line, "cp.async of another size than 16, or too many");
	TRY(find(r, t, i, S_SHARED, address(t, i.o[0]), 16, &c.to));
	if (c.from % 16)
		return ptx_fail(i.line, "thread %u: source 0x%llx is not aligned to 16", t.index,
				(unsigned long long)c.from);
	from = bytes ? resolve(r, S_GLOBAL, c.from, bytes) : c.to;
	if (!from)
		return ptx_fail(i.line, "thread %u: no memory of %u bytes at 0x%llx", t.index,
				bytes, (unsigned long long)c.from);
	if (r.copies_are_early)
		copy_land(c);
	else
		t.copy_[t.copies++] = c;
	return true;
}

static void copy_wait(thread &t, unsigned left)
{
	unsigned kept = 0;

	for (unsigned k = 0; k < t.copies; k++) {
		if (t.copy_[k].group + left >= t.group)
			t.copy_[kept++] = t.copy_[k];
		else
			copy_land(t.copy_[k]);
	}
	t.copies = kept;
}

/* ---- a warp's operations: @lanes stand at @i ---- */

static bool shuffle(run &r, thread *lanes, const ptx_instr &i)
{
	uint64_t in[LANES];

	for (unsigned l = 0; l < LANES; l++)
		in[l] = get(r, lanes[l], i.o[1]);
	for (unsigned l = 0; l < LANES; l++) {
		uint64_t b = get(r, lanes[l], i.o[2]), c = get(r, lanes[l], i.o[3]);
		uint64_t from = i.shuffle == 'b' ? l ^ b : i.shuffle == 'i' ? b :
				i.shuffle == 'd' ? l + b : l - b;

		if ((c & 0x1f) != (i.shuffle == 'u' ? 0 : 0x1f) || c >> 8)
			return ptx_fail(i.line, "a shuffle of parts of a warp");
		if (from >= LANES)
			return ptx_fail(i.line, "lane %u reads lane %llu", l,
					(unsigned long long)from);
		put(lanes[l], i.o[0], in[from]);
		if (i.o[0].second >= 0)
			lanes[l].regs[i.o[0].second] = 1;
	}
	return true;
}

/* Row n of matrix m is at the address that lane 8 m + n has. */
static bool load_matrices(run &r, thread *lanes, const ptx_instr &i)
{
	uint16_t rows[LANES][8];
	unsigned char *p = nullptr;

	for (unsigned l = 0; l < LANES; l++) {
		TRY(find(r, lanes[l], i, S_SHARED, address(lanes[l], i.o[1]), 16, &p));
		memcpy(rows[l], p, 16);
	}
	for (unsigned l = 0; l < LANES; l++) {
		for (unsigned m = 0; m < 4; m++) {
			unsigned x = l / 4, y = l % 4 * 2;
			uint32_t low = i.transposed ? rows[8 * m + y][x] : rows[8 * m + x][y];
			uint32_t high = i.transposed ? rows[8 * m + y + 1][x] :
						       rows[8 * m + x][y + 1];

			lanes[l].regs[i.o[0].vec[m]] = low | high << 16;
		}
	}
	return true;
}

/* Element @k of a register of fragments. */
static float element(uint64_t v, const ptx_instr &i, unsigned k)
{
	if (i.from == T_TF32)
		return as_f32(v & 0xffffe000);
	v = v >> (k % 2 * 16) & 0xffff;
	return i.from == T_F16 ? from_f16(v) : as_f32(v << 16);
}

/* Who holds element (row, k) of A and (k, col) of B: the ISA's figures, inverted. */
static float a_element(const thread *lanes, const ptx_instr &i, unsigned row, unsigned k)
{
	unsigned per = i.depth / 8;	/* elements in a register */
	unsigned lane = row % 8 * 4 + k / per % 4, reg = row / 8 + 2 * (k / (4 * per));
	uint64_t v = lanes[lane].regs[i.o[1].vec[reg]];

	return element(v, i, k);
}

static float b_element(const thread *lanes, const ptx_instr &i, unsigned k, unsigned col)
{
	unsigned per = i.depth / 8, lane = col * 4 + k / per % 4, reg = k / (4 * per);
	uint64_t v = lanes[lane].regs[i.o[2].vec[reg]];

	return element(v, i, k);
}

static bool multiply(run &r, thread *lanes, const ptx_instr &i)
{
	float a[16][16], b[16][8], d[LANES][4];

	if (i.o[1].count != 4 || i.o[2].count != 2 || i.o[0].count != 4 || i.o[3].count != 4)
		return ptx_fail(i.line, "fragments of another size");
	for (int k = 0; k < i.depth; k++) {
		for (unsigned row = 0; row < 16; row++)
			a[row][k] = a_element(lanes, i, row, k);
		for (unsigned col = 0; col < 8; col++)
			b[k][col] = b_element(lanes, i, k, col);
	}
	for (unsigned l = 0; l < LANES; l++) {
		for (unsigned c = 0; c < 4; c++) {
			unsigned row = l / 4 + (c >= 2 ? 8 : 0), col = l % 4 * 2 + (c & 1);
			float sum = as_f32(lanes[l].regs[i.o[3].vec[c]]);

			for (int k = 0; k < i.depth; k++)
				sum += a[row][k] * b[k][col];
			d[l][c] = sum;
		}
	}
	for (unsigned l = 0; l < LANES; l++)
		for (unsigned c = 0; c < 4; c++)
			lanes[l].regs[i.o[0].vec[c]] = of_f32(d[l][c]);
	(void)r;
	return true;
}

static bool warp_operation(run &r, thread *lanes, const ptx_instr &i)
{
	const ptx_operand *mask = i.op == P_SHFL ? &i.o[4] : i.op == P_WARPSYNC ? &i.o[0] : nullptr;

	for (unsigned l = 0; mask && l < LANES; l++)
		if (cut(get(r, lanes[l], *mask), 4) != 0xffffffff)
			return ptx_fail(i.line, "a mask that is not the whole warp");
	switch (i.op) {
	case P_SHFL: return shuffle(r, lanes, i);
	case P_LDMATRIX: return load_matrices(r, lanes, i);
	case P_MMA: return multiply(r, lanes, i);
	default: return true;
	}
}

/* ---- running ---- */

static bool is_float(const ptx_instr &i)
{
	return i.type == T_F32;
}

/* One instruction that needs nobody else. */
static bool execute(run &r, thread &t, const ptx_instr &i)
{
	uint64_t v = 0;
	float f = 0;

	switch (i.op) {
	case P_MOV:
		return move(r, t, i);
	case P_LD: case P_ST:
		return move_memory(r, t, i);
	case P_SETP:
		return compare(r, t, i);
	case P_SELP:
		put(t, i.o[0], cut(get(r, t, i.o[get(r, t, i.o[3]) ? 1 : 2]), bytes_of(i.type)));
		return true;
	case P_CVT:
		return convert(r, t, i);
	case P_CVT_PACK:
		put(t, i.o[0], i.type == T_BF16X2 ?
		    to_bf16(get_f32(r, t, i, 1)) << 16 | to_bf16(get_f32(r, t, i, 2)) :
		    to_f16(get_f32(r, t, i, 1)) << 16 | to_f16(get_f32(r, t, i, 2)));
		return i.round == R_RN || ptx_fail(i.line, "a rounding that is not known");
	case P_CVTA:
		v = get(r, t, i.o[1]);
		if (i.space == S_SHARED)
			v = i.to ? v - PTX_SHARED_WINDOW : v + PTX_SHARED_WINDOW;
		else if (i.space == S_PARAM)
			return ptx_fail(i.line, "a generic address of a parameter");
		put(t, i.o[0], v);
		return true;
	case P_ATOM:
		return add_atomically(r, t, i);
	case P_FENCE:
		r.stored = r.stored && !i.system;
		return true;
	case P_CPASYNC:
		return copy_begin(r, t, i);
	case P_CPASYNC_COMMIT:
		t.group++;
		return true;
	case P_CPASYNC_WAIT:
		copy_wait(t, (unsigned)get(r, t, i.o[0]));
		return true;
	default:
		break;
	}
	if (is_float(i)) {
		TRY(calculate_f32(r, t, i, &f));
		put(t, i.o[0], of_f32(f));
	} else {
		TRY(calculate(r, t, i, &v));
		put(t, i.o[0], v);
	}
	return true;
}

/* Until it waits or ends. */
static bool run_thread(run &r, thread &t)
{
	for (uint64_t steps = 0; steps < STEPS_MAX; steps++) {
		const ptx_instr &i = r.k->code[t.pc];

		if (i.guard >= 0 && !t.regs[i.guard] != i.guard_negated) {
			t.pc++;
			continue;
		}
		switch (i.op) {
		case P_BRA:
			t.pc = i.target;
			continue;
		case P_RET:
			t.at = DONE;
			r.done++;
			return true;
		case P_BAR:
			t.at = AT_BARRIER;
			r.waiting++;
			return true;
		case P_SHFL: case P_LDMATRIX: case P_MMA: case P_WARPSYNC:
			t.at = IN_WARP_OP;
			return true;
		default:
			TRY(execute(r, t, i));
			t.pc++;
		}
	}
	return ptx_fail(0, "thread %u does not end", t.index);
}

static bool finish_warp_op(run &r, thread *lanes, bool *progress)
{
	int pc = -1;

	for (unsigned l = 0; l < LANES; l++) {
		if (lanes[l].at != IN_WARP_OP)
			return true;
		if (pc >= 0 && lanes[l].pc != pc)
			return ptx_fail(r.k->code[pc].line, "lanes are in line %d too",
					r.k->code[lanes[l].pc].line);
		pc = lanes[l].pc;
	}
	TRY(warp_operation(r, lanes, r.k->code[pc]));
	for (unsigned l = 0; l < LANES; l++) {
		lanes[l].at = RUNNABLE;
		lanes[l].pc++;
	}
	*progress = true;
	return true;
}

static bool finish_barrier(run &r, bool *progress)
{
	if (!r.waiting)
		return true;
	if (r.done)
		return ptx_fail(0, "divergent barrier: %u threads wait, %u have ended", r.waiting,
				r.done);
	if (r.waiting < r.threads.size())
		return true;
	for (thread &t : r.threads) {
		if (t.pc != r.threads[0].pc)
			return ptx_fail(r.k->code[t.pc].line, "divergent barrier: others are in line %d",
					r.k->code[r.threads[0].pc].line);
	}
	for (thread &t : r.threads) {
		t.at = RUNNABLE;
		t.pc++;
	}
	r.waiting = 0;
	*progress = true;
	return true;
}

static void shuffle_order(std::vector<unsigned> &order, uint64_t seed)
{
	for (size_t i = order.size(); i > 1; i--) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		std::swap(order[i - 1], order[(seed >> 33) % i]);
	}
}

static std::vector<unsigned> make_order(size_t n, int64_t how)
{
	std::vector<unsigned> order(n);

	for (size_t i = 0; i < n; i++)
		order[i] = (unsigned)(how == -2 ? n - 1 - i : i);
	if (how >= 0)
		shuffle_order(order, (uint64_t)how + 1);
	return order;
}

static bool run_block(run &r, const std::vector<unsigned> &order)
{
	std::fill(r.regs.begin(), r.regs.end(), 0x7fffffffdeadbeefull);
	std::fill(r.shared.begin(), r.shared.end(), 0xff);
	std::fill(r.dynamic.begin(), r.dynamic.end(), 0xff);
	r.waiting = r.done = 0;
	r.stored = false;
	for (size_t i = 0; i < r.threads.size(); i++) {
		thread &t = r.threads[i];

		t.regs = r.regs.data() + i * r.k->regs.size();
		t.pc = 0;
		t.at = RUNNABLE;
		t.index = (unsigned)i;
		t.group = t.copies = 0;
	}
	while (r.done < r.threads.size()) {
		bool progress = false;

		for (unsigned i : order) {
			if (r.threads[i].at != RUNNABLE)
				continue;
			TRY(run_thread(r, r.threads[i]));
			progress = true;
		}
		for (size_t w = 0; w < r.threads.size(); w += LANES)
			TRY(finish_warp_op(r, &r.threads[w], &progress));
		TRY(finish_barrier(r, &progress));
		if (!progress)
			return ptx_fail(0, "no progress: lanes of a warp wait for others");
	}
	return true;
}

int ptx_launch(ptx_module *m, const aif_cuda_launch *l, const void *args, size_t args_bytes,
	       int64_t how)
{
	auto it = m->kernels.find(l->kernel);
	size_t blocks = (size_t)l->grid[0] * l->grid[1] * l->grid[2];
	run r = {};

	if (it == m->kernels.end() || it->second.param_bytes != args_bytes || l->threads % LANES)
		return -2;
	r.k = &it->second;
	r.l = l;
	r.args = (const unsigned char *)args;
	r.copies_are_early = how == -2 || how % 2 == 1;
	if (r.k->max_threads && l->threads > r.k->max_threads)
		return ptx_fail(0, "%u threads, the kernel is compiled for %u", l->threads,
				r.k->max_threads), -1;
	r.regs.resize(l->threads * r.k->regs.size());
	r.threads.resize(l->threads);
	r.shared.resize(r.k->shared_bytes);
	r.dynamic.resize(l->shared);
	for (unsigned b : make_order(blocks, how)) {
		r.block[0] = b % l->grid[0];
		r.block[1] = b / l->grid[0] % l->grid[1];
		r.block[2] = b / l->grid[0] / l->grid[1];
		if (!run_block(r, make_order(l->threads, how)))
			return -1;
		r.left_stored = r.left_stored || r.stored;
	}
	return 0;
}

/* ---- modules ---- */

ptx_module *ptx_load(const char *text, size_t length)
{
	ptx_module *m = new ptx_module;

	if (ptx_parse(m, text, length))
		return m;
	delete m;
	return nullptr;
}

ptx_module *ptx_load_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	std::string text;
	char piece[65536];
	size_t n;

	if (!f) {
		ptx_fail(0, "%s: cannot open it", path);
		return nullptr;
	}
	while ((n = fread(piece, 1, sizeof(piece), f)))
		text.append(piece, n);
	fclose(f);
	return ptx_load(text.data(), text.size());
}

void ptx_free(ptx_module *m)
{
	delete m;
}

size_t ptx_args_bytes(const ptx_module *m, const char *kernel)
{
	auto it = m->kernels.find(kernel);

	return it == m->kernels.end() ? 0 : it->second.param_bytes;
}
