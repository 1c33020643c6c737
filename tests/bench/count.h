/* SPDX-License-Identifier: MIT */
/* What the programs share that measure in a guest that counts: nanoseconds are instructions. */
#ifndef COUNT_H
#define COUNT_H

/* Ends the program with 1, and says why. */
void __attribute__((noreturn)) give_up(int err, const char *what);

/* That, if @ret is -errno. */
static inline void must(int ret, const char *what)
{
	if (ret < 0)
		give_up(ret, what);
}

/* Of @count values, which are sorted then. */
double median(double *values, unsigned int count);

/* A line for each figure; judged ones beside what they are bound by. */
void print(const char *name, double ns);
void judge(const char *name, double ns, double peer, double bound);	/* as a ratio */
void judge_absolute(const char *name, double ns, double bound);

#endif
