// SPDX-License-Identifier: MIT
/*
 * QEMU plugin: between MARK_BEGIN and MARK_END count the instructions of user
 * space, of the kernel and of its modules, and their loads and stores on the physical
 * pages that MARK_PAGE named.  One line for each MARK_END goes to out=FILE.  With areas=on
 * it says also how many of user space's were in each MiB of addresses; where two processes
 * share a page of text, QEMU has it at one of its addresses.
 *
 * Debian ships QEMU's plugin interface without its header; the few functions
 * that are needed are declared here as its documentation gives them
 * (docs/devel/tcg-plugins.rst).  Debian 12's QEMU 7.2 has version 1 of the
 * interface, Debian 13's QEMU 10 versions 2 to 4.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "marks.h"

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

/* What it is asked for of QEMU's description of itself. */
struct qemu_info {
	const char *target;
	struct {
		int min;
		int current;
	} version;
};

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };

typedef void (*tb_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int cpu, void *data);
typedef void (*mem_cb)(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_cb cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_cb cb,
					    enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, mem_cb cb,
				      enum qemu_plugin_cb_flags flags,
				      enum qemu_plugin_mem_rw rw, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
/* Since version 3 the bytes are copied; before, it said where they are. */
const void *insn_data_at(const struct qemu_plugin_insn *insn) __asm__("qemu_plugin_insn_data");
size_t insn_data_copy(const struct qemu_plugin_insn *insn, void *to, size_t bytes)
	__asm__("qemu_plugin_insn_data");
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t info, uint64_t vaddr);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *addr);
void *qemu_plugin_scoreboard_new(size_t bytes) __attribute__((weak));	/* version 2 */

#define EXPORT		__attribute__((visibility("default")))
#define PAGES_MAX	(1u << 20)	/* guests of up to 4 GiB */
#define IS_KERNEL(va)	((va) >> 63)
#define MODULES		0xffffffffc0000000u	/* x86-64, with nokaslr */
#define AREAS_MAX	1024u
#define AREA_SHIFT	20

static uint8_t watched[PAGES_MAX];
static bool begun, counting;
static struct {
	uint64_t user, kernel, module, loads, stores, pages;
} counts;
static struct {
	uint64_t area, count;
} areas[AREAS_MAX];	/* the last is for what has no place */
static bool by_area;
static int api;	/* the newest version that QEMU has */
static FILE *out;

static void print_areas(void)
{
	for (unsigned int i = 0; i < AREAS_MAX && (areas[i].area || areas[i].count); i++) {
		fprintf(out, " %" PRIx64 " %" PRIu64, areas[i].area, areas[i].count);
		areas[i].count = 0;
	}
}

static void begin(unsigned int cpu, void *data)
{
	begun = counting = true;
}

static void pause_counting(unsigned int cpu, void *data)
{
	counting = false;
}

static void resume(unsigned int cpu, void *data)
{
	counting = begun;
}

static void end(unsigned int cpu, void *data)
{
	begun = counting = false;
	fprintf(out, "user %" PRIu64 " kernel %" PRIu64 " module %" PRIu64 " pages %" PRIu64
		" loads %" PRIu64 " stores %" PRIu64, counts.user, counts.kernel,
		counts.module, counts.pages, counts.loads, counts.stores);
	print_areas();
	fputc('\n', out);
	fflush(out);
	memset(&counts, 0, sizeof(counts));
	memset(watched, 0, sizeof(watched));
}

static void insn(unsigned int cpu, void *counter)
{
	if (counting)
		++*(uint64_t *)counter;
}

static uint64_t *counter_of(uint64_t vaddr)
{
	if (!IS_KERNEL(vaddr))
		return &counts.user;
	return vaddr < MODULES ? &counts.kernel : &counts.module;
}

static void insn_of_area(unsigned int cpu, void *counter)
{
	if (!counting)
		return;
	counts.user++;
	++*(uint64_t *)counter;
}

static uint64_t *counter_of_area(uint64_t vaddr)
{
	uint64_t area = vaddr >> AREA_SHIFT;
	unsigned int i = 0;

	while (i < AREAS_MAX - 1 && areas[i].area && areas[i].area != area)
		i++;
	areas[i].area = area;
	return &areas[i].count;
}

static uint64_t page_of(qemu_plugin_meminfo_t info, uint64_t vaddr)
{
	struct qemu_plugin_hwaddr *at = qemu_plugin_get_hwaddr(info, vaddr);
	uint64_t page = at ? qemu_plugin_hwaddr_phys_addr(at) >> 12 : PAGES_MAX;

	return page < PAGES_MAX ? page : PAGES_MAX - 1;
}

static void watch(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
	uint8_t *w = &watched[page_of(info, vaddr)];

	counts.pages += !*w;
	*w = 1;
}

static void touch(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
	if (!counting || !watched[page_of(info, vaddr)])
		return;
	if (qemu_plugin_mem_is_store(info))
		counts.stores++;
	else
		counts.loads++;
}

/* The mark that an instruction is, or 0: 0f 1f 84 00 and four bytes. */
static uint32_t mark_of(const struct qemu_plugin_insn *i)
{
	static const uint8_t nopl[] = { 0x0f, 0x1f, 0x84, 0x00 };
	uint8_t bytes[8];
	uint32_t word;

	if (qemu_plugin_insn_size(i) != sizeof(bytes))
		return 0;
	if (api >= 3)
		insn_data_copy(i, bytes, sizeof(bytes));
	else
		memcpy(bytes, insn_data_at(i), sizeof(bytes));
	if (memcmp(bytes, nopl, 4))
		return 0;
	memcpy(&word, bytes + 4, 4);
	return word;
}

static void count_insn(struct qemu_plugin_insn *at)
{
	uint64_t vaddr = qemu_plugin_insn_vaddr(at);
	bool area = by_area && !IS_KERNEL(vaddr);

	qemu_plugin_register_vcpu_insn_exec_cb(at, area ? insn_of_area : insn,
					       QEMU_PLUGIN_CB_NO_REGS,
					       area ? counter_of_area(vaddr) : counter_of(vaddr));
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	static const exec_cb on[] = { begin, pause_counting, resume, end };
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	bool names_page = false;

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *at = qemu_plugin_tb_get_insn(tb, i);
		uint64_t vaddr = qemu_plugin_insn_vaddr(at);
		uint32_t mark = mark_of(at) - MARK_BEGIN;

		if (mark < 4)
			qemu_plugin_register_vcpu_insn_exec_cb(at, on[mark],
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		else
			count_insn(at);
		if (names_page)
			qemu_plugin_register_vcpu_mem_cb(at, watch, QEMU_PLUGIN_CB_NO_REGS,
							 QEMU_PLUGIN_MEM_RW, NULL);
		else if (IS_KERNEL(vaddr))
			qemu_plugin_register_vcpu_mem_cb(at, touch, QEMU_PLUGIN_CB_NO_REGS,
							 QEMU_PLUGIN_MEM_RW, NULL);
		names_page = mark == MARK_PAGE - MARK_BEGIN;
	}
}

EXPORT int qemu_plugin_version = 1;

/* QEMU looks at it after it has loaded us. */
__attribute__((constructor)) static void say_version(void)
{
	if (qemu_plugin_scoreboard_new)
		qemu_plugin_version = 2;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
			       char **argv);
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
			       char **argv)
{
	if (argc < 1 || strncmp(argv[0], "out=", 4))
		return -1;
	by_area = argc > 1 && !strcmp(argv[1], "areas=on");
	out = fopen(argv[0] + 4, "w");
	if (!out)
		return -1;
	api = info->version.current;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
