/* SPDX-License-Identifier: MIT */
/*
 * How a program in the guest talks to the plugin: no-ops whose displacement is a
 * word that no compiler emits.  On a processor without the plugin they do
 * nothing.
 */
#ifndef MARKS_H
#define MARKS_H

#define MARK_BEGIN	0x41494601	/* count from here */
#define MARK_PAUSE	0x41494602	/* not what follows, if anything is being counted */
#define MARK_RESUME	0x41494603
#define MARK_END	0x41494604	/* report; watch nothing any more */
#define MARK_PAGE	0x41494605	/* the load that follows names a watched page */

#define MARK_TEXT_(x)	#x
#define MARK_TEXT(x)	MARK_TEXT_(x)
#define MARK(m)		__asm__ volatile("nopl " MARK_TEXT(m) "(%%rax,%%rax,1)" ::: "memory")

/* One asm, so that nothing comes between the mark and its load. */
#define MARK_LOAD(p)							\
	__asm__ volatile("nopl " MARK_TEXT(MARK_PAGE) "(%%rax,%%rax,1)\n\tmovb (%0), %%al" \
			 :: "r"(p) : "al", "memory")

#endif
