// SPDX-License-Identifier: MIT
/* aif-gateway - HTTP in, requests out; see aif-gateway(8) */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/daemon/local.h"
#include "runtime/daemon/log.h"
#include "runtime/gateway/catalog.h"
#include "runtime/gateway/identity.h"
#include "runtime/gateway/listener.h"
#include "runtime/gateway/loop.h"
#include "runtime/gateway/opener.h"
#include "runtime/gateway/options.h"
#include "runtime/gateway/shm.h"
#include "runtime/gateway/tenant.h"
#include "runtime/gateway/tls.h"
#include "runtime/model/why.h"

#define REFRESH_S 1
#define ECHO_KEYS_MAX 8
#define LARGE_BYTES (256 << 10)

/* ---- loops ---- */

static unsigned int processors(void)
{
	cpu_set_t allowed;

	return sched_getaffinity(0, sizeof(allowed), &allowed) ? 1 :
								 (unsigned int)CPU_COUNT(&allowed);
}

static unsigned int loops_wanted(const struct gateway *g)
{
	return g->opts.threads ? g->opts.threads : processors();
}

static int loops_start(struct gateway *g, struct aif_why *why)
{
	unsigned int n = loops_wanted(g);
	int err = 0;

	g->loops = calloc(n, sizeof(*g->loops));
	if (!g->loops)
		return aif_why_set(why, -ENOMEM, "no memory");
	for (g->loop_count = 0; g->loop_count < n && !err; g->loop_count++)
		err = loop_init(&g->loops[g->loop_count], g, why);
	for (unsigned int i = 0; i < n && !err; i++)
		err = loop_start(&g->loops[i], why);
	return err;
}

static void loops_wake(struct gateway *g)
{
	for (unsigned int i = 0; i < g->loop_count; i++)
		loop_wake(&g->loops[i]);
}

static void loops_stop(struct gateway *g)
{
	for (unsigned int i = 0; i < g->loop_count; i++)
		atomic_store(&g->loops[i].stopping, true);
	loops_wake(g);
}

/* ---- running ---- */

static void signals_block(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int open_access_log(struct gateway *g, struct aif_why *why)
{
	const char *path = g->opts.access_log;

	g->access_fd = -1;
	if (!path)
		return 0;
	g->access_fd = !strcmp(path, "-") ? STDOUT_FILENO :
		       open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	return g->access_fd < 0 ? aif_why_set(why, -errno, "%s: %s", path, strerror(errno)) : 0;
}

/* Under the same number: loops are writing to it. */
static void reopen_access_log(struct gateway *g)
{
	struct gateway fresh = { .opts.access_log = g->opts.access_log };
	struct aif_why why;

	if (g->access_fd <= STDERR_FILENO)
		return;
	if (open_access_log(&fresh, &why)) {
		log_error("the access log of before stays: %s", why.text);
		return;
	}
	dup3(fresh.access_fd, g->access_fd, O_CLOEXEC);
	close(fresh.access_fd);
}

/* What others may have changed.  @all: also what is only read again when asked. */
static void refresh(struct gateway *g, bool all)
{
	struct aif_why why;

	if (catalog_refresh(g->catalog))
		log_warn("%s does not answer", g->opts.device);
	if (g->identity && identity_refresh(g->identity, all, &why) < 0)
		log_error("the keys of before stay: %s", why.text);
	if (all)
		reopen_access_log(g);
	if (all && g->tls && tls_refresh(g->tls, &why))
		log_error("the certificate of before stays: %s", why.text);
}

/* Looks around once a second, until somebody asks to stop. */
static void serve(struct gateway *g, const sigset_t *signals)
{
	struct timespec second = { .tv_sec = REFRESH_S };
	int signal;

	for (;;) {
		signal = sigtimedwait(signals, NULL, &second);
		if (signal == SIGTERM || signal == SIGINT)
			return;
		if (signal == SIGHUP || errno == EAGAIN)
			refresh(g, signal == SIGHUP);
	}
}

static void drain(struct gateway *g, const sigset_t *signals)
{
	struct timespec left = { .tv_sec = (time_t)g->opts.drain_s };

	log_info("draining: %u connections are open", atomic_load(&g->connection_count));
	atomic_store(&g->draining, true);
	loops_wake(g);
	while (atomic_load(&g->connection_count) && left.tv_sec-- > 0) {
		struct timespec second = { .tv_sec = 1 };

		int signal = sigtimedwait(signals, NULL, &second);

		if (signal == SIGTERM || signal == SIGINT)
			break;
	}
	loops_stop(g);
	for (unsigned int i = 0; i < g->loop_count; i++)
		pthread_join(g->loops[i].thread, NULL);
}

/* Services of this process, on "local". */
struct locals {
	struct local *embed, *echo;
};

static int start_model(const struct options *o, struct locals *l, struct aif_why *why)
{
	char *pairs[2] = { NULL };

	if (asprintf(&pairs[0], "model=%s", o->model) < 0)
		return aif_why_set(why, -ENOMEM, "no memory");
	l->embed = local_start("embed", pairs, why);
	free(pairs[0]);
	return l->embed ? 0 : -EIO;
}

/* On an accelerator of its own: it may be slow, and the model is not to wait. */
static int start_echo(const struct options *o, struct locals *l, struct aif_why *why)
{
	char *pairs[ECHO_KEYS_MAX + 1] = { "type=echo", "device=echo" }, *rest = o->echo_keys;

	for (unsigned int i = 2; rest && i < ECHO_KEYS_MAX; i++)
		pairs[i] = strsep(&rest, ",");
	l->echo = local_start(o->echo, pairs, why);
	return l->echo ? 0 : -EIO;
}

/* Where tenants have files of their own. */
static int start_opener(struct gateway *g, struct aif_why *why)
{
	if (g->opts.anonymous || !strcmp(g->opts.device, "local"))
		return 0;
	g->opener = opener_start(g->opts.device, loops_wanted(g), why);
	return g->opener ? 0 : -EIO;
}

static int open_device(struct gateway *g, struct locals *l, struct aif_why *why)
{
	int err = 0;

	if (!strcmp(g->opts.device, "local")) {
		err = start_model(&g->opts, l, why);
		if (!err && g->opts.echo)
			err = start_echo(&g->opts, l, why);
	}
	if (err)
		return err;
	g->catalog = catalog_source_open(g, why);
	return g->catalog ? 0 : -EIO;
}

/* A descriptor for each connection, and some. */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* What is large goes back to the kernel when it is freed: one long body is not kept for ever. */
static void give_memory_back(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

/* Keys are in memory: no dump of it, nobody looks in, and no program gains rights here. */
static void keep_secrets(void)
{
	if (prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_warn("cannot keep this process's memory to itself: %s", strerror(errno));
}

static int open_doors(struct gateway *g, struct aif_why *why)
{
	struct identity_opts identity = { .path = g->opts.keys, .region = g->opts.region };

	g->tenants = tenants_open();
	if (!g->tenants)
		return aif_why_set(why, -ENOMEM, "no memory");
	if (g->opts.tls_cert) {
		g->tls = tls_open(g->opts.tls_cert, g->opts.tls_key, why);
		if (!g->tls)
			return -EINVAL;
	}
	if (!g->opts.anonymous) {
		g->identity = identity_open(&identity, why);
		if (!g->identity)
			return -errno;
	}
	return 0;
}

static void gateway_close(struct gateway *g, const struct locals *l)
{
	shm_close_socket(g->shm);
	for (unsigned int i = 0; i < g->loop_count; i++)
		loop_fini(&g->loops[i]);
	free(g->loops);
	opener_stop(g->opener);
	identity_close(g->identity);
	tls_close(g->tls);
	tenants_close(g->tenants);
	catalog_source_close(g->catalog);
	local_stop(l->embed, NULL);
	local_stop(l->echo, NULL);
}

static int run(struct gateway *g, struct aif_why *why)
{
	struct locals locals = { .embed = NULL, .echo = NULL };
	sigset_t signals;
	int err;

	signals_block(&signals);
	raise_limits();
	give_memory_back();
	keep_secrets();
	err = start_opener(g, why);
	if (!err)
		err = open_access_log(g, why);
	if (!err)
		err = open_doors(g, why);
	if (!err)
		err = open_device(g, &locals, why);
	if (!err && g->opts.shm_socket) {
		g->shm = shm_open_socket(g, g->opts.shm_socket, why);
		err = g->shm ? 0 : -EIO;
	}
	if (!err)
		err = loops_start(g, why);
	if (!err) {
		log_info("takes requests");
		serve(g, &signals);
		drain(g, &signals);
	}
	gateway_close(g, &locals);
	return err;
}

AIF_API const char *argp_program_version = "aif-gateway " AIF_VERSION;

int main(int argc, char **argv)
{
	static struct gateway gateway;
	struct aif_why why;

	argp_err_exit_status = 2;
	if (!log_init(NULL, "aif-gateway")) {
		fprintf(stderr, "aif-gateway: AIF_LOG_LEVEL is none of error, warn, info, debug\n");
		return 2;
	}
	options_parse(argc, argv, &gateway.opts);
	if (!run(&gateway, &why))
		return 0;
	log_error("%s", why.text);
	return 1;
}
