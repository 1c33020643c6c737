/* SPDX-License-Identifier: MIT */
/* harness.h - between the runner (main.c) and what tests are written with */
#ifndef CONFORM_HARNESS_H
#define CONFORM_HARNESS_H

#define EXIT_SKIP	77

/* Remember the device under test, and its limits. */
void harness_init(const char *path);

/* In a test's process: last words go to @fd; the end of a test that passed. */
void report_to(int fd);
void harness_end(void);

/* In the runner's: put limits back that a test changed. */
void limits_restore(void);

#endif
