// SPDX-License-Identifier: MIT
/*
 * TEST CODE: a stand-in for libcuda.so.1, as far as runtime/backend/cuda uses it.
 *
 * It keeps what the driver API's reference manual promises and no more: work that was
 * enqueued runs only when somebody waits, and then streams take turns by a seed; a source
 * in pageable memory is copied at the call, one in registered memory is read late.
 * Device memory is closed to the host, NaN when fresh, with gaps around; what a kernel's
 * arguments point to must be there when it runs.  Kernels are run by their twins, or by the
 * interpreter.  What is left when the context goes is reported.
 *
 * AIF_STANDIN holds words, separated by commas:
 *	seed=N         which stream goes first, how threads take turns (default 1)
 *	order=lifo     the newest stream first
 *	devices=N      0: there is none
 *	init=N         what cuInit answers
 *	version=N      what cuDriverGetVersion answers (default 13000)
 *	sm=N           the device's architecture (default 90); on 75 nothing has tensor cores
 *	lack=NAME      an entry point that is not there
 *	fail=NAME:N:R  the N-th call of NAME answers R; more of these behind semicolons
 *	write_only=1   the device takes no memory that is mapped for reading only
 *	pin=OFFSET     registered memory is pinned, as /dev/aif knows it; who dies with it leaves
 *	               that pin behind for a while, and a late write at OFFSET (pin.cc)
 *	hang=NAME:FILE a launch of the kernel NAME whose process can remove FILE has no end
 *	lose=NAME:N    the N-th launch of the kernel NAME is done and has stored nothing
 *	ptx=FOLDER     interpret FOLDER/<operator>.80.ptx (sm=75: .75.ptx), not twins
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "tests/cuda/emulator.h"
#include "tests/cuda/pin.h"
#include "tests/cuda/ptx.h"

extern "C" {
#include "runtime/backend/cuda/driver.h"
}

#define EXPORT extern "C" __attribute__((visibility("default")))
#define ARENA_BYTES (16ull << 30)
#define PAGE 4096ull
#define FRESH (4 << 20)
#define POINTERS_FROM (1ull << 44)	/* a word of arguments in here is an address */
#define POINTERS_TO (1ull << 47)

enum {
	OK = 0, INVALID_VALUE = 1, NOT_INITIALISED = 3, INVALID_CONTEXT = 201, NOT_FOUND = 500,
	ILLEGAL_ADDRESS = 700,
};

struct CUstream_st {
	std::deque<std::function<int()>> work;
};

struct CUevent_st {
	unsigned recorded, done;
};

struct CUmod_st {
	const unsigned char *image;
	uint64_t bytes;
};

/* @shared_most: dynamic; the manual's 48 KiB, less what a kernel may have of static memory */
struct CUfunc_st {
	std::string name;
	unsigned shared_most = 47 << 10;
};

/* What is launched. */
struct kernel {
	std::string name;
	aif_cuda_launch l;
	std::vector<unsigned char> args;
};

/* @after: numbers of nodes of the graph, as @number */
struct CUgraphNode_st {
	CUgraph_st *graph;
	size_t number;
	kernel k;
	std::set<size_t> after;
};

struct CUgraph_st {
	std::vector<std::unique_ptr<CUgraphNode_st>> nodes;
};

/* What the nodes of @of were when this was made, by number, and were told since. */
struct CUgraphExec_st {
	const CUgraph_st *of;
	std::map<size_t, kernel> kernels;
	std::map<size_t, std::set<size_t>> after;
	std::shared_ptr<unsigned> pending;
};

struct memory {
	size_t bytes;
	bool device;
};

static struct standin {
	std::recursive_mutex lock;
	std::map<std::string, std::string> words;
	std::map<std::string, unsigned> calls, launches;
	std::set<std::string> ever;	/* kernels that ran, whatever was reset */
	unsigned resets;
	bool initialised, configured;
	int contexts, sticky;
	uint64_t seed;
	unsigned char *arena, *next;
	std::map<uintptr_t, memory> memories;	/* the device's, and registered ones */
	std::vector<CUstream_st *> streams;
	std::map<CUevent_st *, bool> events;
	std::map<CUmod_st *, bool> modules;
	std::set<CUgraph_st *> graphs;
	std::set<CUgraphExec_st *> execs;
	std::vector<CUfunc_st *> functions;
	std::vector<ptx_module *> ptx;
	unsigned complaints;
} g;

/* This thread made the context current when there had been so many resets, and one. */
static thread_local unsigned current;

/* ---- what the test wants ---- */

static void configure()
{
	const char *at = getenv("AIF_STANDIN");

	g.configured = true;
	for (std::string rest = at ? at : ""; !rest.empty();) {
		size_t comma = rest.find(','), equals = rest.find('=');

		g.words[rest.substr(0, equals)] = rest.substr(equals + 1, comma - equals - 1);
		rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
	}
	g.seed = g.words.count("seed") ? strtoull(g.words["seed"].c_str(), nullptr, 10) : 1;
}

static long word(const char *name, long otherwise)
{
	return g.words.count(name) ? strtol(g.words[name].c_str(), nullptr, 10) : otherwise;
}

/* Of which the manual says that the process must be terminated, or the context destroyed. */
static bool is_sticky(int result)
{
	static const std::set<int> all = {
		214, 220, 226, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911,
	};

	return all.count(result);
}

static int told_to_fail(const char *name)
{
	for (const char *at = g.words["fail"].c_str(); *at; at += strcspn(at, ";"), at += *at == ';') {
		char failing[64] = "";
		unsigned n = 0;
		int result = 0;

		sscanf(at, "%63[^:]:%u:%d", failing, &n, &result);
		if (!strcmp(failing, name) && g.calls[name] == n)
			return result;
	}
	return OK;
}

/* Every entry point begins with this: what it must answer instead of doing its work. */
static int enter(const char *name)
{
	if (!g.configured)
		configure();
	g.calls[name]++;
	if (int result = told_to_fail(name)) {
		if (is_sticky(result))
			g.sticky = result;
		return result;
	}
	if (!g.initialised && strcmp(name, "cuInit"))
		return NOT_INITIALISED;
	return g.sticky;
}

#define ENTER(name)							\
	std::lock_guard<std::recursive_mutex> guard(g.lock);		\
	if (int answer = enter(#name))					\
		return answer

/* What is done in a context: the thread has made one current. */
#define ENTER_CONTEXT(name)						\
	ENTER(name);							\
	if (current != g.resets + 1)					\
		return INVALID_CONTEXT

__attribute__((format(printf, 1, 2)))
static int complain(const char *fmt, ...)
{
	va_list args;

	fputs("stand-in driver: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	g.complaints++;
	return INVALID_VALUE;
}

static uint64_t random_below(uint64_t n)
{
	g.seed = g.seed * 6364136223846793005u + 1442695040888963407u;
	return (g.seed >> 33) % n;
}

/* ---- memory ---- */

static void open_device(int protection)
{
	for (auto &m : g.memories)
		if (m.second.device)
			mprotect((void *)m.first, (m.second.bytes + PAGE - 1) / PAGE * PAGE,
				 protection);
}

/* The memory that has all of these bytes. */
static bool is_there(uintptr_t at, size_t bytes)
{
	auto it = g.memories.upper_bound(at);

	if (it == g.memories.begin())
		return false;
	--it;
	return at - it->first <= it->second.bytes && bytes <= it->second.bytes - (at - it->first);
}

static bool is_registered(const void *at, size_t bytes)
{
	auto it = g.memories.upper_bound((uintptr_t)at);

	return it != g.memories.begin() && !(--it)->second.device && is_there((uintptr_t)at, bytes);
}

/* Fresh memory, of NaN: pages of one file, so that only those cost something that are used. */
static bool map_fresh(unsigned char *at, size_t bytes)
{
	static int fd = -1;

	if (fd < 0) {
		std::vector<char> nan(FRESH, (char)0xff);

		fd = memfd_create("fresh", MFD_CLOEXEC);
		if (write(fd, nan.data(), FRESH) != FRESH)
			return false;
	}
	for (size_t done = 0; done < bytes; done += FRESH)
		if (mmap(at + done, std::min(bytes - done, (size_t)FRESH), PROT_NONE,
			 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED)
			return false;
	return true;
}

EXPORT int cuMemAlloc(aif_cuda_ptr *at, size_t bytes)
{
	size_t whole = (bytes + PAGE - 1) / PAGE * PAGE;

	ENTER_CONTEXT(cuMemAlloc);
	if (!g.arena) {
		g.arena = (unsigned char *)mmap(nullptr, ARENA_BYTES, PROT_NONE,
						MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (g.arena == MAP_FAILED)
			return AIF_CUDA_OUT_OF_MEMORY;
		g.next = g.arena + PAGE;
	}
	if (!bytes)
		return INVALID_VALUE;
	if (whole + PAGE > (size_t)(g.arena + ARENA_BYTES - g.next))
		return AIF_CUDA_OUT_OF_MEMORY;
	if (!map_fresh(g.next, whole))
		return AIF_CUDA_OUT_OF_MEMORY;
	g.memories[(uintptr_t)g.next] = { bytes, true };
	ptx_memory_add(g.next, bytes);
	*at = (uintptr_t)g.next;
	g.next += whole + PAGE;
	return OK;
}

static bool is_idle()
{
	for (CUstream_st *s : g.streams)
		if (!s->work.empty())
			return false;
	return true;
}

EXPORT int cuMemFree(aif_cuda_ptr at)
{
	ENTER_CONTEXT(cuMemFree);
	auto it = g.memories.find(at);

	if (it == g.memories.end() || !it->second.device)
		return complain("cuMemFree of what was not allocated");
	if (!is_idle())
		return complain("cuMemFree while work is enqueued, which may use it");
	/* Its address is never used again. */
	madvise((void *)at, it->second.bytes, MADV_DONTNEED);
	ptx_memory_remove((void *)at);
	g.memories.erase(it);
	return OK;
}

/* Pinned, and so read late. */
static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

/* A page behind it is nobody's. */
EXPORT int cuMemHostAlloc(void **host, size_t bytes, unsigned int)
{
	ENTER_CONTEXT(cuMemHostAlloc);
	*host = mmap(nullptr, whole_pages(bytes) + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*host == MAP_FAILED || mprotect(*host, whole_pages(bytes), PROT_READ | PROT_WRITE))
		return AIF_CUDA_OUT_OF_MEMORY;
	memset(*host, 0xff, bytes);
	g.memories[(uintptr_t)*host] = { bytes, false };
	ptx_memory_add(*host, bytes);
	return OK;
}

EXPORT int cuMemFreeHost(void *host)
{
	ENTER_CONTEXT(cuMemFreeHost);
	auto it = g.memories.find((uintptr_t)host);

	if (it == g.memories.end() || it->second.device)
		return complain("cuMemFreeHost of what was not allocated");
	if (!is_idle())
		return complain("cuMemFreeHost while work is enqueued, which may use it");
	munmap(host, whole_pages(it->second.bytes) + PAGE);
	ptx_memory_remove(host);
	g.memories.erase(it);
	return OK;
}

/* All of it is mapped so that it can be written. */
static bool is_writable(uintptr_t begin, uintptr_t end)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], write;
	uintptr_t from, to;

	while (begin < end && maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*c%c", &from, &to, &write) == 3 && from <= begin &&
		    begin < to && write == 'w')
			begin = to;
	if (maps)
		fclose(maps);
	return begin >= end;
}

EXPORT int cuMemHostRegister(void *host, size_t bytes, unsigned int flags)
{
	ENTER_CONTEXT(cuMemHostRegister);
	uintptr_t begin = (uintptr_t)host / PAGE * PAGE, end = (uintptr_t)host + bytes;
	bool reads_only = flags & AIF_CUDA_REGISTER_READ_ONLY;

	if (!bytes || (flags & ~(unsigned)(AIF_CUDA_REGISTER_DEVICEMAP | AIF_CUDA_REGISTER_READ_ONLY)))
		return INVALID_VALUE;
	if (reads_only && word("write_only", 0))
		return 801;	/* not supported: the manual, of attribute 113 */
	if (!reads_only && !is_writable(begin, end))
		return INVALID_VALUE;	/* its pages are pinned to be written */
	/* Whole pages are pinned, each once. */
	for (auto &m : g.memories)
		if (!m.second.device && m.first / PAGE * PAGE < (end + PAGE - 1) / PAGE * PAGE &&
		    begin < (m.first + m.second.bytes + PAGE - 1) / PAGE * PAGE)
			return AIF_CUDA_ALREADY_REGISTERED;
	if (g.words.count("pin") && pin_take(host, bytes, (size_t)word("pin", 0)))
		return INVALID_VALUE;
	g.memories[(uintptr_t)host] = { bytes, false };
	ptx_memory_add(host, bytes);
	return OK;
}

EXPORT int cuMemHostUnregister(void *host)
{
	ENTER_CONTEXT(cuMemHostUnregister);
	auto it = g.memories.find((uintptr_t)host);

	if (it == g.memories.end() || it->second.device)
		return 713;	/* not registered */
	pin_drop(host);
	ptx_memory_remove(host);
	g.memories.erase(it);
	return OK;
}

EXPORT int cuMemHostGetDevicePointer(aif_cuda_ptr *at, void *host, unsigned int)
{
	ENTER_CONTEXT(cuMemHostGetDevicePointer);
	if (!is_registered(host, 1))
		return INVALID_VALUE;
	*at = (uintptr_t)host;
	return OK;
}

/* ---- streams: nothing runs until somebody waits ---- */

static void run_one(CUstream_st *s)
{
	std::function<int()> work = std::move(s->work.front());
	int result;

	s->work.pop_front();
	result = work();
	if (result)
		g.sticky = result;
}

/* Some stream that has work. */
static CUstream_st *pick()
{
	std::vector<CUstream_st *> ready;

	for (CUstream_st *s : g.streams)
		if (!s->work.empty())
			ready.push_back(s);
	return g.words["order"] == "lifo" ? ready.back() : ready[random_below(ready.size())];
}

static int run_until(const std::function<bool()> &is_done)
{
	if (is_done())
		return g.sticky;
	open_device(PROT_READ | PROT_WRITE);
	while (!is_done() && !g.sticky)
		run_one(pick());
	open_device(PROT_NONE);
	return g.sticky;
}

EXPORT int cuStreamSynchronize(aif_cuda_stream s)
{
	ENTER_CONTEXT(cuStreamSynchronize);
	return run_until([=] { return s->work.empty(); });
}

/* What was so when asked; something happens meanwhile, so that who asks and asks has an end. */
EXPORT int cuStreamQuery(aif_cuda_stream s)
{
	ENTER_CONTEXT(cuStreamQuery);
	size_t left = s->work.size();

	if (!left || g.sticky)
		return g.sticky;
	/* At least one piece of this stream, and what the others' turns bring. */
	run_until([=] { return s->work.empty() || s->work.size() < left; });
	return g.sticky ? g.sticky : AIF_CUDA_NOT_READY;
}

EXPORT int cuStreamCreate(aif_cuda_stream *s, unsigned int)
{
	ENTER_CONTEXT(cuStreamCreate);
	*s = new CUstream_st;
	g.streams.push_back(*s);
	return OK;
}

EXPORT int cuStreamDestroy(aif_cuda_stream s)
{
	ENTER_CONTEXT(cuStreamDestroy);
	if (!s->work.empty())
		complain("a stream is destroyed with %zu pieces of work", s->work.size());
	g.streams.erase(std::find(g.streams.begin(), g.streams.end(), s));
	delete s;
	return OK;
}

EXPORT int cuEventCreate(aif_cuda_event *e, unsigned int)
{
	ENTER_CONTEXT(cuEventCreate);
	*e = new CUevent_st{ 0, 0 };
	g.events[*e] = true;
	return OK;
}

EXPORT int cuEventDestroy(aif_cuda_event e)
{
	ENTER_CONTEXT(cuEventDestroy);
	if (e->done < e->recorded)
		complain("an event is destroyed that has not come");
	g.events.erase(e);
	delete e;
	return OK;
}

EXPORT int cuEventRecord(aif_cuda_event e, aif_cuda_stream s)
{
	ENTER_CONTEXT(cuEventRecord);
	unsigned number = ++e->recorded;

	s->work.push_back([=] { return e->done = number, OK; });
	return OK;
}

EXPORT int cuEventSynchronize(aif_cuda_event e)
{
	ENTER_CONTEXT(cuEventSynchronize);
	return run_until([=] { return e->done == e->recorded; });
}

EXPORT int cuMemcpyHtoDAsync(aif_cuda_ptr to, const void *from, size_t bytes, aif_cuda_stream s)
{
	ENTER_CONTEXT(cuMemcpyHtoDAsync);
	std::vector<unsigned char> copy;

	if (!is_there(to, bytes))
		return complain("a copy of %zu bytes to where there are fewer", bytes);
	if (is_registered(from, bytes)) {
		s->work.push_back([=] { return memcpy((void *)to, from, bytes), OK; });
		return OK;
	}
	copy.assign((const unsigned char *)from, (const unsigned char *)from + bytes);
	s->work.push_back([=] { return memcpy((void *)to, copy.data(), bytes), OK; });
	return OK;
}

EXPORT int cuMemcpyDtoHAsync(void *to, aif_cuda_ptr from, size_t bytes, aif_cuda_stream s)
{
	ENTER_CONTEXT(cuMemcpyDtoHAsync);
	if (!is_there(from, bytes))
		return complain("a copy of %zu bytes from where there are fewer", bytes);
	s->work.push_back([=] { return memcpy(to, (const void *)from, bytes), OK; });
	return OK;
}

EXPORT int cuMemsetD8Async(aif_cuda_ptr at, unsigned char value, size_t bytes, aif_cuda_stream s)
{
	ENTER_CONTEXT(cuMemsetD8Async);
	if (!is_there(at, bytes))
		return complain("%zu bytes set where there are fewer", bytes);
	s->work.push_back([=] { return memset((void *)at, value, bytes), OK; });
	return OK;
}

/* ---- kernels ---- */

struct fatbin {
	uint32_t magic;
	uint16_t version, header_bytes;
	uint64_t bytes;
};

static bool load_ptx()
{
	static const char *const operators[] = { "attention", "embed", "gemm", "layernorm", "pool" };

	if (!g.words.count("ptx") || !g.ptx.empty())
		return true;
	for (const char *op : operators) {
		std::string path = g.words["ptx"] + "/" + op + (word("sm", 90) < 80 ? ".75.ptx" : ".80.ptx");

		g.ptx.push_back(ptx_load_file(path.c_str()));
		if (!g.ptx.back()) {
			g.ptx.clear();
			return complain("%s: %s", path.c_str(), ptx_error()), false;
		}
	}
	return true;
}

EXPORT int cuModuleLoadData(aif_cuda_module *m, const void *image)
{
	ENTER_CONTEXT(cuModuleLoadData);
	const fatbin *f = (const fatbin *)image;

	if (f->magic != 0xba55ed50 || !load_ptx())
		return AIF_CUDA_INVALID_IMAGE;
	*m = new CUmod_st{ (const unsigned char *)image, f->header_bytes + f->bytes };
	g.modules[*m] = true;
	return OK;
}

EXPORT int cuModuleUnload(aif_cuda_module m)
{
	ENTER_CONTEXT(cuModuleUnload);
	if (!g.modules.erase(m))
		return INVALID_VALUE;
	delete m;
	return OK;
}

/* What the device's own code in an image lacks, though code for others has it. */
static bool is_lacking(const char *name)
{
	for (const ptx_module *m : g.ptx)
		if (ptx_args_bytes(m, name))
			return false;
	return g.ptx.empty() ? word("sm", 90) < 80 && strstr(name, "_mma_") : true;
}

/* Names of kernels stand in the image as they are. */
EXPORT int cuModuleGetFunction(aif_cuda_function *f, aif_cuda_module m, const char *name)
{
	ENTER_CONTEXT(cuModuleGetFunction);
	if (!memmem(m->image, m->bytes, name, strlen(name)) || !emu_args_bytes(name) ||
	    is_lacking(name))
		return NOT_FOUND;
	*f = new CUfunc_st{ name };
	g.functions.push_back(*f);
	return OK;
}

/* Devices of sm_86, 89 and 120 have the least that a block may ask for: 99 KiB in all. */
EXPORT int cuFuncSetAttribute(aif_cuda_function f, int attribute, int value)
{
	ENTER_CONTEXT(cuFuncSetAttribute);
	if (attribute != AIF_CUDA_FUNC_MAX_DYNAMIC_SHARED || value < 0 || value > 98 << 10)
		return INVALID_VALUE;
	f->shared_most = (unsigned)value;
	return OK;
}

/* What looks like an address in the arguments must be memory now. */
static bool arguments_are_there(const std::string &name, const std::vector<unsigned char> &args)
{
	for (size_t at = 0; at + 8 <= args.size(); at += 8) {
		uint64_t v;

		memcpy(&v, &args[at], 8);
		if (v >= POINTERS_FROM && v < POINTERS_TO && !is_there(v, 1)) {
			complain("%s: its argument at byte %zu, 0x%llx, is no memory of the device",
				 name.c_str(), at, (unsigned long long)v);
			return false;
		}
	}
	return true;
}

static bool is_lost(const std::string &name)
{
	return g.words["lose"] == name + ":" + std::to_string(g.launches[name]);
}

static void hang_if_told_so(const std::string &name)
{
	const std::string &what = g.words["hang"];

	if (what.rfind(name + ":", 0) == 0 && !unlink(what.c_str() + name.size() + 1))
		for (;;)
			pause();
}

static int run_kernel(const kernel &k)
{
	const std::vector<unsigned char> &args = k.args;
	const std::string &name = k.name;
	aif_cuda_launch l = k.l;
	int err = -2;

	if (!arguments_are_there(name, args))
		return ILLEGAL_ADDRESS;
	l.kernel = name.c_str();
	g.launches[name]++;
	g.ever.insert(name);
	hang_if_told_so(name);
	if (is_lost(name))
		return OK;
	if (g.ptx.empty())
		err = emu_launch(&l, args.data(), args.size(), (int64_t)(g.seed >> 40));
	for (size_t i = 0; i < g.ptx.size() && err == -2; i++)
		if (ptx_args_bytes(g.ptx[i], l.kernel))
			err = ptx_launch(g.ptx[i], &l, args.data(), args.size(),
					 (int64_t)(g.seed >> 40));
	if (err)
		complain("%s: %s", l.kernel, g.ptx.empty() ? emu_error() : ptx_error());
	return err ? ILLEGAL_ADDRESS : OK;
}

/* Parameters are copied now, whoever launches them. */
static int take_kernel(const aif_cuda_node_params *p, kernel *k)
{
	aif_cuda_function f = p->f;
	const unsigned *grid = p->grid;

	if (!f || std::find(g.functions.begin(), g.functions.end(), f) == g.functions.end())
		return complain("a launch of what is no kernel");
	if (!grid[0] || !grid[1] || !grid[2] || grid[0] > INT32_MAX || grid[1] > 65535 ||
	    grid[2] > 65535 || !p->block[0] || p->block[0] > 1024 || p->block[1] != 1 ||
	    p->block[2] != 1 || p->shared > f->shared_most || p->extra)
		return complain("%s: a launch of %u x %u x %u blocks, %u threads, %u bytes",
				f->name.c_str(), grid[0], grid[1], grid[2], p->block[0], p->shared);
	const unsigned char *args = (const unsigned char *)p->params[0];

	k->name = f->name;
	k->l = { nullptr, { grid[0], grid[1], grid[2] }, p->block[0], p->shared };
	k->args.assign(args, args + emu_args_bytes(f->name.c_str()));
	return OK;
}

EXPORT int cuLaunchKernel(aif_cuda_function f, unsigned int gx, unsigned int gy, unsigned int gz,
			  unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared,
			  aif_cuda_stream s, void **params, void **extra)
{
	ENTER_CONTEXT(cuLaunchKernel);
	aif_cuda_node_params p = { f, { gx, gy, gz }, { bx, by, bz }, shared, params, extra,
				   nullptr, nullptr };
	kernel k;

	if (int err = take_kernel(&p, &k))
		return err;
	s->work.push_back([=] { return run_kernel(k); });
	return OK;
}

/* ---- graphs ---- */

EXPORT int cuGraphCreate(aif_cuda_graph *graph, unsigned int flags)
{
	ENTER_CONTEXT(cuGraphCreate);
	if (flags)
		return INVALID_VALUE;	/* the manual: must be 0 */
	*graph = new CUgraph_st;
	g.graphs.insert(*graph);
	return OK;
}

/* Its nodes go, too; what was made of it stays. */
EXPORT int cuGraphDestroy(aif_cuda_graph graph)
{
	ENTER_CONTEXT(cuGraphDestroy);
	if (!g.graphs.erase(graph))
		return complain("a graph is destroyed that is not there");
	delete graph;
	return OK;
}

static bool is_node(const CUgraph_st *graph, const CUgraphNode_st *node)
{
	for (auto &n : graph->nodes)
		if (n.get() == node)
			return true;
	return false;
}

EXPORT int cuGraphAddKernelNode(aif_cuda_graph_node *node, aif_cuda_graph graph,
				const aif_cuda_graph_node *after, size_t after_count,
				const aif_cuda_node_params *params)
{
	ENTER_CONTEXT(cuGraphAddKernelNode);
	std::unique_ptr<CUgraphNode_st> n;

	if (!g.graphs.count(graph))
		return complain("a node of a graph that is not there");
	n.reset(new CUgraphNode_st{ graph, graph->nodes.size(), {}, {} });
	if (int err = take_kernel(params, &n->k))
		return err;
	for (size_t i = 0; i < after_count; i++) {
		if (!is_node(graph, after[i]))
			return complain("a node after one of another graph");
		n->after.insert(after[i]->number);
	}
	*node = n.get();
	graph->nodes.push_back(std::move(n));
	return OK;
}

EXPORT int cuGraphInstantiateWithFlags(aif_cuda_graph_exec *exec, aif_cuda_graph graph,
				       unsigned long long flags)
{
	ENTER_CONTEXT(cuGraphInstantiateWithFlags);
	if (!g.graphs.count(graph) || flags)
		return INVALID_VALUE;
	*exec = new CUgraphExec_st{ graph, {}, {}, std::make_shared<unsigned>(0) };
	for (auto &n : graph->nodes) {
		(*exec)->kernels[n->number] = n->k;
		(*exec)->after[n->number] = n->after;
	}
	g.execs.insert(*exec);
	return OK;
}

/* Of later launches; the node must still be in the graph that this was made of. */
EXPORT int cuGraphExecKernelNodeSetParams(aif_cuda_graph_exec exec, aif_cuda_graph_node node,
					  const aif_cuda_node_params *params)
{
	ENTER_CONTEXT(cuGraphExecKernelNodeSetParams);
	auto graph = g.graphs.begin();

	if (!g.execs.count(exec))
		return complain("a node is set of an executable graph that is not there");
	graph = std::find(g.graphs.begin(), g.graphs.end(), exec->of);
	if (graph == g.graphs.end() || !is_node(*graph, node) || !exec->kernels.count(node->number))
		return complain("a node is set that is not of the executable's graph");
	return take_kernel(params, &exec->kernels[node->number]);
}

EXPORT int cuGraphExecDestroy(aif_cuda_graph_exec exec)
{
	ENTER_CONTEXT(cuGraphExecDestroy);
	if (!g.execs.count(exec))
		return complain("an executable graph is destroyed that is not there");
	if (*exec->pending)
		complain("an executable graph is destroyed with %u launches to be done",
			 *exec->pending);
	g.execs.erase(exec);
	delete exec;
	return OK;
}

/* One launch: the nodes that are still to come, and for what each waits. */
struct graph_run {
	std::map<size_t, kernel> kernels;
	std::map<size_t, std::set<size_t>> after;
};

/* Any node whose predecessors are done: by the seed, not in the order in which they were added. */
static int run_ready(graph_run *run)
{
	std::vector<size_t> ready;

	for (auto &n : run->after)
		if (n.second.empty())
			ready.push_back(n.first);
	size_t number = ready[random_below(ready.size())];

	run->after.erase(number);
	for (auto &n : run->after)
		n.second.erase(number);
	return run_kernel(run->kernels[number]);
}

/* A piece of work for each node, so that other streams take their turns in between. */
EXPORT int cuGraphLaunch(aif_cuda_graph_exec exec, aif_cuda_stream s)
{
	ENTER_CONTEXT(cuGraphLaunch);
	if (!g.execs.count(exec))
		return complain("an executable graph is launched that is not there");
	std::shared_ptr<graph_run> run(new graph_run{ exec->kernels, exec->after });
	std::shared_ptr<unsigned> pending = exec->pending;

	++*pending;
	for (size_t i = 0; i < exec->kernels.size(); i++)
		s->work.push_back([=] {
			*pending -= run->after.size() == 1;
			return run_ready(run.get());
		});
	return OK;
}

/* ---- the driver and its device ---- */

EXPORT int cuInit(unsigned int)
{
	ENTER(cuInit);
	int answer = (int)word("init", word("devices", 1) ? 0 : AIF_CUDA_NO_DEVICE);

	g.initialised = !answer;
	return answer;
}

EXPORT int cuDriverGetVersion(int *version)
{
	ENTER(cuDriverGetVersion);
	*version = (int)word("version", 13000);
	return OK;
}

EXPORT int cuGetErrorName(int result, const char **name)
{
	*name = result == AIF_CUDA_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" :
		result == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR";
	return OK;
}

EXPORT int cuDeviceGetCount(int *count)
{
	ENTER(cuDeviceGetCount);
	*count = (int)word("devices", 1);
	return OK;
}

EXPORT int cuDeviceGet(int *device, int index)
{
	ENTER(cuDeviceGet);
	*device = index;
	return index < word("devices", 1) ? OK : 101;
}

EXPORT int cuDeviceGetName(char *name, int bytes, int)
{
	ENTER(cuDeviceGetName);
	snprintf(name, (size_t)bytes, "stand-in");
	return OK;
}

EXPORT int cuDeviceGetUuid(aif_cuda_uuid *uuid, int device)
{
	ENTER(cuDeviceGetUuid);
	memset(uuid, 0x10 + device, sizeof(*uuid));
	return OK;
}

EXPORT int cuDeviceGetPCIBusId(char *id, int bytes, int device)
{
	ENTER(cuDeviceGetPCIBusId);
	snprintf(id, (size_t)bytes, "0000:%02X:00.0", device + 1);
	return OK;
}

EXPORT int cuDeviceTotalMem(size_t *bytes, int)
{
	ENTER(cuDeviceTotalMem);
	*bytes = ARENA_BYTES;
	return OK;
}

/* 8 processors: some of the encoder's shapes are split, some are not. */
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int)
{
	ENTER(cuDeviceGetAttribute);
	int sm = (int)word("sm", 90);

	*value = attribute == AIF_CUDA_ATTR_PROCESSORS ? 8 :
		 attribute == AIF_CUDA_ATTR_READ_ONLY_REGISTER ? !word("write_only", 0) :
		 attribute == AIF_CUDA_ATTR_MAJOR ? sm / 10 : sm % 10;
	return OK;
}

EXPORT int cuCtxSetCurrent(aif_cuda_context context)
{
	ENTER(cuCtxSetCurrent);
	current = context ? g.resets + 1 : 0;
	return OK;
}

EXPORT int cuDevicePrimaryCtxRetain(aif_cuda_context *context, int)
{
	ENTER(cuDevicePrimaryCtxRetain);
	g.contexts++;
	*context = (aif_cuda_context)&g;
	return OK;
}

static void report_leaks()
{
	if (g.memories.size() + g.streams.size() + g.modules.size() + g.events.size() +
	    g.graphs.size() + g.execs.size())
		complain("left behind: %zu memories, %zu streams, %zu modules, %zu events, %zu graphs, %zu executable",
			 g.memories.size(), g.streams.size(), g.modules.size(), g.events.size(),
			 g.graphs.size(), g.execs.size());
}

EXPORT int cuDevicePrimaryCtxRelease(int)
{
	ENTER(cuDevicePrimaryCtxRelease);
	if (!--g.contexts)
		report_leaks();
	return OK;
}

/* For tests: what was wrong since the last reset, leaks too. */
EXPORT unsigned standin_complaints(void)
{
	return g.complaints;
}

/* How often this entry point was called since the last reset. */
EXPORT unsigned standin_calls(const char *name)
{
	return g.calls[name];
}

/* How often this kernel ran since the last reset. */
EXPORT unsigned standin_launches(const char *kernel)
{
	return g.launches[kernel];
}

/* A kernel that has never run in this process, or NULL. */
EXPORT const char *standin_never_launched(void)
{
	for (size_t i = 0; emu_kernel_name(i); i++)
		if (!g.ever.count(emu_kernel_name(i)))
			return emu_kernel_name(i);
	return nullptr;
}

/* From now on streams and threads take turns by this. */
EXPORT void standin_seed(uint64_t seed)
{
	g.seed = seed;
}

/* As a new process would find it, with other words. */
EXPORT void standin_reset(void)
{
	for (auto &m : g.memories)
		ptx_memory_remove((const void *)m.first);
	g.memories.clear();
	g.streams.clear();
	g.events.clear();
	g.modules.clear();
	g.graphs.clear();
	g.execs.clear();
	g.ptx.clear();
	g.words.clear();
	g.calls.clear();
	g.launches.clear();
	g.resets++;
	g.initialised = g.configured = false;
	g.contexts = g.sticky = 0;
	g.complaints = 0;
}

EXPORT int cuGetProcAddress_v2(const char *name, void **at, int, uint64_t, int *status)
{
	static const std::map<std::string, void *> all = {
#define ROW(call, args) { "cu" #call, (void *)cu##call },
		AIF_CUDA_CALLS(ROW)
		AIF_CUDA_GRAPH_CALLS(ROW)
#undef ROW
	};
	std::lock_guard<std::recursive_mutex> guard(g.lock);
	auto it = all.find(name);

	if (!g.configured)
		configure();
	if (it == all.end() || g.words["lack"] == name) {
		*status = 1;
		return NOT_FOUND;
	}
	*at = it->second;
	*status = 0;
	return OK;
}
