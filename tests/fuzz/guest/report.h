/* SPDX-License-Identifier: MIT */
/* What was done, in words, and what went wrong. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>

/* The next operation begins: number @n of its episode. */
void say_op(uint32_t n);
/* What it does; several calls make one line. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Also on standard error, as it goes. */
void say_aloud(bool on);
/* The last operations in words, on standard error. */
void say_last(void);
/* What fail() ends the process with; 3 while nothing has been tried yet. */
extern int fail_status;
/* What is wrong, and the end of the process. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* "-EBUSY", or the number. */
const char *result_name(long ret);

#endif
