/* SPDX-License-Identifier: MIT */
/* aif_mock.ko, an engine without a device: what a test makes of it, and what became of it. */
#ifndef MOCK_H
#define MOCK_H

#define ENGINE(name)	"/sys/kernel/debug/aif/engines/" name

/* As debugfs says in state. */
enum { ENGINE_READY, ENGINE_STOPPED, ENGINE_RETIRED };

/* All of them fail the test that runs, if need be. */
void mock_write(const char *path, const char *text);
long mock_read(const char *path);			/* a number, or -1 */
void mock_set(const char *name, long value);		/* a parameter */
long mock_get(const char *name);
long mock_engine(const char *name);			/* what debugfs says of it */
void mock_file_becomes(const char *path, long value);	/* within 10 s */
void mock_becomes(const char *name, long value);
void mock_engine_becomes(const char *name, long value);
void mock_shell(const char *command);

/*
 * @client(a raw_gate *) in a process of root's, until it has opened the gate and the engine's
 * file @busy says @chunks; then it is killed.
 */
void mock_kill_client(int (*client)(void *ready), const char *busy, long chunks);

/* Plugged in anew, and cheaper than the CPU for ever. */
void mock_plug(void);

/* As loaded, but that it is stopped when a machine would be, however slow, and no test. */
void mock_plain(void);

/* It will be stopped soon if it does not answer. */
void mock_impatient(void);

#endif
