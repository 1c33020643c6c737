// SPDX-License-Identifier: MIT
#include "runtime/daemon/place.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/backend/backend.h"
#include "runtime/daemon/log.h"

#define TRY_SECONDS 30

/* What the trying process says: @err 0 and the device, or why not. */
struct trial {
	int err;
	char text[256];
};

static void try_open(const struct service_conf *conf, struct trial *t)
{
	const struct aif_backend *be = conf->backend;
	struct aif_dev_opts opts = {
		.size = sizeof(opts), .device = *conf->cuda_device ? conf->cuda_device : NULL,
	};
	struct aif_dev *dev;

	t->err = be->dev_open(&opts, &dev);
	snprintf(t->text, sizeof(t->text), "%s", t->err ? be->dev_why() : be->dev_id(dev));
	if (!t->err)
		be->dev_close(dev);
}

__attribute__((noreturn))
static void child(const struct service_conf *conf, pid_t parent, int answer)
{
	struct trial t = { 0 };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGALRM, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	alarm(TRY_SECONDS);
	try_open(conf, &t);
	_exit(write(answer, &t, sizeof(t)) == sizeof(t) ? 0 : 1);
}

/* How a process ended that said nothing. */
static void say_end(struct trial *t, int status)
{
	t->err = -ENODEV;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(t->text, sizeof(t->text), "did not open in %d s", TRY_SECONDS);
	else if (WIFSIGNALED(status))
		snprintf(t->text, sizeof(t->text), "opening it ends in signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(t->text, sizeof(t->text), "opening it ends the process, with status %d",
			 WEXITSTATUS(status));
}

static void wait_trial(pid_t pid, int answer, struct trial *t)
{
	ssize_t n;
	int status;

	do
		n = read(answer, t, sizeof(*t));
	while (n < 0 && errno == EINTR);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(*t))
		say_end(t, status);
}

static void try_apart(const struct service_conf *conf, struct trial *t)
{
	pid_t self = getpid(), pid = -1;
	int ends[2];

	if (!pipe(ends)) {
		pid = fork();
		if (!pid)
			child(conf, self, ends[1]);
		close(ends[1]);
	}
	if (pid < 0) {
		t->err = -errno;
		snprintf(t->text, sizeof(t->text), "cannot be tried: %s", strerror(errno));
		return;
	}
	wait_trial(pid, ends[0], t);
	close(ends[0]);
}

void place(struct service_conf *conf)
{
	struct trial t = { 0 };

	if (!conf->backend || !AIF_BACKEND_HAS(conf->backend, dev_id))
		return;
	try_apart(conf, &t);
	if (t.err) {
		log_warn("service %s: backend %s: %s; the CPU computes instead", conf->name,
			 conf->backend->name, t.text);
		conf->backend = aif_backend_find("cpu");
		*conf->cuda_device = '\0';
		return;
	}
	snprintf(conf->cuda_device, sizeof(conf->cuda_device), "%.63s", t.text);
}

const char *place_hardware(const struct service_conf *conf)
{
	if (*conf->cuda_device)
		return conf->cuda_device;
	return AIF_BACKEND_HAS(conf->backend, dev_id) ? "" : "cpu";
}
