// SPDX-License-Identifier: MIT
/*
 * One thread and no device: what a worker's death could take with it is not here.
 * The supervisor holds the services' files, so requests outlive their workers; the
 * workers inherit nothing but one of these and one page to say what they do.
 */
#include "runtime/daemon/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/daemon/kind.h"
#include "runtime/daemon/log.h"
#include "runtime/daemon/place.h"
#include "runtime/daemon/serve.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define DELAY_MIN_MS 100		/* before a worker's next start */
#define DELAY_MAX_MS 30000
#define CALM_NS (10 * NS_PER_S)		/* one that served and lived so long starts at the minimum */
#define LOOK_STARTING_NS (100 * NS_PER_MS)
#define LOOK_STUCK_NS (20 * NS_PER_MS)
#define LOOK_NS (500 * NS_PER_MS)
#define WORKER_ARGS 6			/* without keys, with the program's name */

struct service {
	struct service_conf *conf;
	struct aif_holder *holder;
};

/*
 * @number:   among those of its service
 * @pid:      0: not running
 * @finished: it drained; there is nothing more to do
 * @start_at: when it may start; @started, @ended: when it last did
 * @delay_ms: from its next end, or failure to start, to its next start
 */
struct worker {
	struct service *service;
	unsigned int number;
	pid_t pid;
	bool finished;
	uint64_t start_at;
	uint64_t started;
	uint64_t ended;
	uint32_t delay_ms;
	int status_fd;
	struct serve_status *status;
};

/*
 * @said_ready: all workers were ready once
 * @draining, @hurried: asked to end, asked twice
 */
struct supervisor {
	const char *device;
	struct service *services;
	unsigned int service_count;
	struct worker *workers;
	unsigned int worker_count;
	bool said_ready;
	bool draining;
	bool hurried;
};

#define for_each_service(sv, s) \
	for (struct service *s = (sv)->services; s < (sv)->services + (sv)->service_count; s++)
#define for_each_worker(sv, w) \
	for (struct worker *w = (sv)->workers; w < (sv)->workers + (sv)->worker_count; w++)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- services ---- */

/* Workers must find the weights that the service was described with. */
static void keep_digest(struct service_conf *conf, void *state)
{
	struct kind_description d = { 0 };

	conf->kind->describe(state, &d);
	memcpy(conf->digest, d.digest_hex, sizeof(conf->digest));
}

static int service_create(const struct supervisor *sv, struct service *s)
{
	struct aif_why why = { "" };
	void *state;
	int err;

	place(s->conf);
	err = s->conf->kind->open(s->conf, &state, &why);

	if (!err) {
		keep_digest(s->conf, state);
		s->holder = serve_create(sv->device, s->conf, state, &why);
		err = s->holder ? 0 : -errno;
		s->conf->kind->close(state);
	}
	if (err)
		log_error("%s", why.text);
	return err;
}

static int worker_create(struct supervisor *sv, struct service *s, unsigned int number)
{
	struct worker *w = &sv->workers[sv->worker_count++];

	*w = (struct worker){ .service = s, .number = number, .delay_ms = DELAY_MIN_MS };
	w->status_fd = memfd_create("aifd-status", MFD_CLOEXEC);
	if (w->status_fd >= 0 && !ftruncate(w->status_fd, sizeof(*w->status)))
		w->status = mmap(NULL, sizeof(*w->status), PROT_READ | PROT_WRITE, MAP_SHARED,
				 w->status_fd, 0);
	if (w->status && w->status != MAP_FAILED)
		return 0;
	log_error("service %s: worker %u: no memory to share: %s", s->conf->name, number,
		  strerror(errno));
	return -EIO;
}

static void worker_free(struct worker *w)
{
	if (w->status && w->status != MAP_FAILED)
		munmap(w->status, sizeof(*w->status));
	if (w->status_fd >= 0)
		close(w->status_fd);
}

static int create_all(struct supervisor *sv, struct conf *conf)
{
	unsigned int workers = 0;
	int err = 0;

	for (unsigned int i = 0; i < conf->count; i++)
		workers += conf->services[i].workers;
	sv->services = calloc(conf->count, sizeof(*sv->services));
	sv->workers = calloc(workers, sizeof(*sv->workers));
	if (!sv->services || !sv->workers) {
		log_error("no memory");
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < conf->count && !err; i++) {
		struct service *s = &sv->services[sv->service_count++];

		s->conf = &conf->services[i];
		err = service_create(sv, s);
		for (unsigned int n = 0; n < s->conf->workers && !err; n++)
			err = worker_create(sv, s, n);
	}
	return err;
}

static void close_all(struct supervisor *sv)
{
	for_each_worker(sv, w)
		worker_free(w);
	for_each_service(sv, s)
		aif_holder_close(s->holder);
	free(sv->services);
	free(sv->workers);
}

/* ---- starting workers ---- */

/* In the child.  What asks to end stays blocked: draining tells a worker when to. */
static void worker_exec(const struct worker *w, pid_t supervisor, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(1);
	fcntl(aif_holder_fd(w->service->holder), F_SETFD, 0);
	fcntl(w->status_fd, F_SETFD, 0);
	execv("/proc/self/exe", argv);
	log_error("/proc/self/exe: cannot be executed: %s", strerror(errno));
	_exit(127);
}

__attribute__((format(printf, 2, 3)))
static int add_arg(char **argv, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(argv, fmt, ap);
	va_end(ap);
	if (n < 0)
		*argv = NULL;
	return n < 0 ? -ENOMEM : 0;
}

static int worker_args(const struct supervisor *sv, const struct worker *w, char **argv)
{
	const struct service *s = w->service;
	int err = add_arg(&argv[0], "aifd");

	err |= add_arg(&argv[1], "--worker=%s/%u", s->conf->name, w->number);
	err |= add_arg(&argv[2], "--device=%s", sv->device);
	err |= add_arg(&argv[3], "--service=%u", aif_holder_service(s->holder));
	err |= add_arg(&argv[4], "--holder-fd=%d", aif_holder_fd(s->holder));
	err |= add_arg(&argv[5], "--status-fd=%d", w->status_fd);
	if (err)
		return -ENOMEM;
	return service_conf_format(s->conf, argv + WORKER_ARGS, SERVICE_CONF_KEYS);
}

/* The next time after twice as long. */
static void worker_delay(struct worker *w)
{
	w->start_at = now_ns() + w->delay_ms * NS_PER_MS;
	w->delay_ms = w->delay_ms * 2 < DELAY_MAX_MS ? w->delay_ms * 2 : DELAY_MAX_MS;
}

/* Everything is prepared before the fork: the child only executes. */
static void worker_start(const struct supervisor *sv, struct worker *w)
{
	char *argv[WORKER_ARGS + SERVICE_CONF_KEYS + 1] = { NULL };
	const char *name = w->service->conf->name;
	pid_t self = getpid(), pid = -1;

	atomic_store(&w->status->ready, 0);
	atomic_store(&w->status->busy_since, 0);
	errno = ENOMEM;
	if (worker_args(sv, w, argv) >= 0)
		pid = fork();
	if (!pid)
		worker_exec(w, self, argv);
	if (pid < 0) {
		log_error("service %s: worker %u cannot start: %s; tries again in %u ms", name,
			  w->number, strerror(errno), w->delay_ms);
		worker_delay(w);
	} else {
		log_debug("service %s: worker %u is process %d", name, w->number, (int)pid);
		w->pid = pid;
		w->started = now_ns();
	}
	for (char **arg = argv; *arg; arg++)
		free(*arg);
}

/* ---- what became of workers ---- */

static void log_death(const struct worker *w, int status)
{
	char how[64];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
	log_warn("service %s: worker %u, process %d, %s; starts again in %u ms",
		 w->service->conf->name, w->number, (int)w->pid, how, w->delay_ms);
}

static void worker_ended(const struct supervisor *sv, struct worker *w, int status)
{
	w->ended = now_ns();
	if (sv->draining && WIFEXITED(status) && !WEXITSTATUS(status)) {
		w->finished = true;
	} else if (!sv->hurried) {
		if (atomic_load(&w->status->ready) && w->ended - w->started >= CALM_NS)
			w->delay_ms = DELAY_MIN_MS;
		log_death(w, status);
		worker_delay(w);
	}
	w->pid = 0;
}

static void reap(const struct supervisor *sv)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for_each_worker(sv, w) {
			if (w->pid == pid)
				worker_ended(sv, w, status);
		}
	}
}

static bool is_ready(const struct worker *w)
{
	return w->pid && atomic_load(&w->status->ready);
}

/* When it will have been busy for longer than its service allows; 0: it is not busy. */
static uint64_t overdue_at(const struct worker *w)
{
	uint64_t since = atomic_load(&w->status->busy_since);

	return w->pid && since ? since + w->service->conf->progress_ms * NS_PER_MS : 0;
}

/* Has the device detached one of the service's workers? */
static bool one_is_missing(const struct supervisor *sv, const struct service *s)
{
	struct aif_service_info *info = aif_holder_describe(s->holder);
	unsigned int ready = 0;
	bool missing;

	for_each_worker(sv, w)
		ready += w->service == s && is_ready(w);
	missing = info && info->executors < ready;
	aif_service_info_free(info);
	return missing;
}

/*
 * The device's watchdog has detached a worker that held requests and made no call for
 * progress_ms.  It tells how many are attached; which one is missing is the one that
 * has not come back for so long.
 */
static void kill_stuck(const struct supervisor *sv)
{
	for_each_worker(sv, w) {
		uint64_t overdue = overdue_at(w);

		if (!overdue || now_ns() <= overdue || !one_is_missing(sv, w->service))
			continue;
		log_warn("service %s: worker %u, process %d, made no progress for %u ms: killed",
			 w->service->conf->name, w->number, (int)w->pid,
			 w->service->conf->progress_ms);
		kill(w->pid, SIGKILL);
		atomic_store(&w->status->ready, 0);	/* it is not to be counted, nor killed again */
		atomic_store(&w->status->busy_since, 0);
	}
}

/* ---- the whole ---- */

/*
 * A draining service whose workers die has something to lose only while requests are
 * queued or fetched, or can still come back from the dead worker.
 */
static bool has_drained(const struct worker *w)
{
	const struct service *s = w->service;
	struct aif_service_info *info;
	bool idle;

	if (now_ns() - w->ended < s->conf->recovery_ms * NS_PER_MS)
		return false;
	info = aif_holder_describe(s->holder);
	idle = info && !info->queued && !info->fetched;
	aif_service_info_free(info);
	return idle;
}

static void start_due(const struct supervisor *sv)
{
	for_each_worker(sv, w) {
		if (w->pid || w->finished)
			continue;
		if (sv->draining && has_drained(w))
			w->finished = true;
		else if (now_ns() >= w->start_at)
			worker_start(sv, w);
	}
}

static void say_ready(struct supervisor *sv)
{
	if (sv->said_ready)
		return;
	for_each_worker(sv, w) {
		if (!is_ready(w))
			return;
	}
	log_info("ready: %u service%s, %u worker%s", sv->service_count,
		 sv->service_count == 1 ? "" : "s", sv->worker_count,
		 sv->worker_count == 1 ? "" : "s");
	sv->said_ready = true;
}

static void look(struct supervisor *sv)
{
	reap(sv);
	if (sv->hurried)
		return;
	kill_stuck(sv);
	say_ready(sv);
}

static void drain(struct supervisor *sv)
{
	int err;

	log_info("draining: what is queued is answered, then all ends");
	sv->draining = true;
	for_each_service(sv, s) {
		err = aif_holder_drain(s->holder);
		if (err)
			log_error("service %s: cannot drain: %s", s->conf->name,
				  aif_error_text(err));
	}
}

static void log_account(const struct supervisor *sv)
{
	for_each_service(sv, s) {
		struct aif_service_info *info = aif_holder_describe(s->holder);

		if (info && info->queued + info->fetched)
			log_warn("service %s: %u requests are left without an answer",
				 s->conf->name, info->queued + info->fetched);
		if (info)
			log_info("service %s: %llu requests answered; %llu were recovered",
				 s->conf->name, (unsigned long long)info->answered,
				 (unsigned long long)info->recovered);
		aif_service_info_free(info);
	}
}

/*
 * Asked twice: end now.  Services go before workers: no worker gets what another that
 * was killed leaves.
 */
static void hurry(struct supervisor *sv)
{
	log_warn("asked again: ending at once");
	sv->hurried = true;
	log_account(sv);
	for_each_service(sv, s) {
		aif_holder_close(s->holder);
		s->holder = NULL;
	}
	for_each_worker(sv, w) {
		w->finished = true;
		if (w->pid)
			kill(w->pid, SIGKILL);
	}
}

static void asked_to_end(struct supervisor *sv)
{
	if (sv->hurried)
		return;
	if (sv->draining)
		hurry(sv);
	else
		drain(sv);
}

static bool all_finished(const struct supervisor *sv)
{
	for_each_worker(sv, w) {
		if (w->pid || !w->finished)
			return false;
	}
	return true;
}

/*
 * When there is something to do for a worker: to start it, or to see whether it is
 * stuck.  Seen late, its requests would use up their time for recovery.
 */
static uint64_t due_in(const struct worker *w)
{
	uint64_t now = now_ns(), due = w->pid ? overdue_at(w) : w->start_at;

	if (w->finished || (w->pid && !due))
		return LOOK_NS;
	if (due > now)
		return due - now;
	return w->pid ? LOOK_STUCK_NS : 0;
}

/* Until something happens, or is due; and now and then without a reason. */
static int wait_signal(const struct supervisor *sv, const sigset_t *signals)
{
	uint64_t wait = sv->said_ready ? LOOK_NS : LOOK_STARTING_NS;
	struct timespec t;

	for_each_worker(sv, w) {
		uint64_t due = due_in(w);

		wait = due < wait ? due : wait;
	}
	t = (struct timespec){ .tv_sec = wait / NS_PER_S, .tv_nsec = wait % NS_PER_S };
	return sigtimedwait(signals, NULL, &t);
}

static void run(struct supervisor *sv, const sigset_t *signals)
{
	int number;

	while (!all_finished(sv)) {
		start_due(sv);
		number = wait_signal(sv, signals);
		if (number > 0 && number != SIGCHLD)
			asked_to_end(sv);
		look(sv);
	}
	if (!sv->hurried)
		log_account(sv);
}

static bool is_ignored(int number)
{
	struct sigaction action;

	return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

/* What nohup(1) or a shell in the background had us ignore stays ignored. */
static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGCHLD);
	if (!is_ignored(SIGINT))
		sigaddset(signals, SIGINT);
	if (!is_ignored(SIGHUP))
		sigaddset(signals, SIGHUP);
	sigprocmask(SIG_BLOCK, signals, NULL);
	signal(SIGCHLD, SIG_DFL);	/* whoever started us may ignore it */
}

int supervise(struct conf *conf, const char *device)
{
	struct supervisor sv = { .device = device };
	sigset_t signals;
	int err;

	block_signals(&signals);
	err = create_all(&sv, conf);
	if (!err)
		run(&sv, &signals);
	close_all(&sv);
	return err || sv.hurried;
}
