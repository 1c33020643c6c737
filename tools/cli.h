/* SPDX-License-Identifier: MIT */
/* cli.h - what the commands of `aif` share */
#ifndef AIF_TOOLS_CLI_H
#define AIF_TOOLS_CLI_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "aif_model.h"
#include "libaif.h"

#define DEVICE_DEFAULT "/dev/aif"
#define DEVICE_LOCAL "local"

/* A command's exit status.  ARGP itself leaves with CLI_USAGE. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* @argv[0] is "aif NAME", for messages. */
struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *summary;
};

int cmd_bench(int argc, char **argv);
int cmd_buffer(int argc, char **argv);
int cmd_device(int argc, char **argv);
int cmd_embed(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_search(int argc, char **argv);
int cmd_selftest(int argc, char **argv);
int cmd_service(int argc, char **argv);
int cmd_tenant(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_transfer(int argc, char **argv);

/* One of @commands by @argv[1]; @self is what stands before it, "aif" or "aif service". */
int cli_dispatch(const char *self, const char *doc, const struct command *commands, int argc,
		 char **argv);

/* "aif NAME: ..." on standard error.  Returns CLI_FAILED, to leave a command with. */
__attribute__((format(printf, 1, 2)))
int cli_error(const char *fmt, ...);

/* The same for what is no failure. */
__attribute__((format(printf, 1, 2)))
void cli_note(const char *fmt, ...);

/* One line on a terminal's standard error, over the one before; nothing in a pipe. */
__attribute__((format(printf, 1, 2)))
void cli_progress(const char *fmt, ...);
/* End of it: the line is gone. */
void cli_progress_end(void);

/*
 * What commands of a device take: the first member of a command's own arguments, which are
 * argp's input.  Its options are rows of the command's table, so that they stand in order.
 */
struct cli_common {
	const char *device;
	bool json;
};

#define CLI_COMMON	{ .device = DEVICE_DEFAULT }
#define CLI_OPTION_DEVICE \
	{ "device", 'd', "DEVICE", 0, "The device (default " DEVICE_DEFAULT ")", 0 }
#define CLI_OPTION_JSON(what)	{ "json", 'j', NULL, 0, what, 0 }

/* An argp parser of these two, for what the command's own does not know. */
error_t cli_parse_common(int key, char *arg, struct argp_state *state);

/* A whole number from @min to @max, or argp_error() and no return. */
unsigned long cli_number(const struct argp_state *state, const char *option, const char *text,
			 unsigned long min, unsigned long max);

/* A user's number, from a number or a name, or argp_error() and no return. */
uint32_t cli_owner(const struct argp_state *state, const char *text);

/*
 * JSON.  What cannot be made for want of memory (or is not UTF-8) is NULL, which these
 * take; cli_finish() makes an error of it.  They take the references of values.
 */
void cli_json_set(json_t *object, const char *key, json_t *value);
void cli_json_append(json_t *array, json_t *value);
/* On one line of standard output.  Floats keep 9 digits: all a float has. */
void cli_json_line(json_t *value);

/* A string out of foreign bytes: those that are not UTF-8 become U+FFFD. */
json_t *cli_json_string(const char *bytes, size_t length);

/* Standard output was written out: CLI_OK, or says why not. */
int cli_finish(int status);

/* Somebody else's words, for a terminal: what it might obey becomes '?'.  @text itself. */
char *cli_plain(char *text);

#define NS_PER_MS 1000000ull

/* CLOCK_MONOTONIC. */
uint64_t cli_now_ns(void);

/* ---- devices and services ---- */

/* Why opening @device failed with @err (errno): a sentence with what to do. */
void cli_open_why(const char *device, int err, struct aif_why *why);

/* A client that only looks; NULL: it was said why. */
struct aif_client *cli_client_open(const char *device);

/*
 * Open the client and the service @name of @owner, AIF_OWNER_TRUSTED for mine or
 * root's.  0 or -errno with @why.
 */
int cli_service_open(struct aif_client *client, const char *name, uint32_t owner,
		     struct aif_service **service, struct aif_why *why);

/*
 * Call @each for every service of the device, oldest first.  One that ends meanwhile
 * is left out.  0 or -errno.
 */
int cli_each_service(struct aif_client *client,
		     void (*each)(void *ctx, const struct aif_service_info *service), void *ctx);

#endif
