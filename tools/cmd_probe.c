// SPDX-License-Identifier: MIT
/* aif probe - why does it not work here? */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runtime/backend/backend.h"
#include "tools/cli.h"
#include "tools/hardware.h"
#include "tools/machine.h"
#include "tools/ring.h"

#define MODULE_SYS "/sys/module/aif"
#define LIMITS_WANTED_BYTES (8u << 20)	/* more than `aif embed` and `aif search` allocate */
#define LIMITS_WANTED_DEPTH 64
#define MEMLOCK_WANTED (8u << 20)

enum verdict { OK, WARN, FAIL };

/* One after the other; @client stays NULL where the device cannot be opened. */
struct probe {
	struct cli_common common;
	struct aif_client *client;
	struct aif_client_info info;
	unsigned int services;
	bool failed;
};

__attribute__((format(printf, 4, 5)))
static void say(struct probe *p, const char *check, enum verdict verdict, const char *fmt, ...)
{
	static const char *const words[] = { [OK] = "ok", [WARN] = "warn", [FAIL] = "FAIL" };
	static const char *const json[] = { [OK] = "ok", [WARN] = "warn", [FAIL] = "fail" };
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	p->failed |= verdict == FAIL;
	if (p->common.json) {
		json_t *o = json_object();

		cli_json_set(o, "check", json_string(check));
		cli_json_set(o, "status", json_string(json[verdict]));
		cli_json_set(o, "message", cli_json_string(message, strlen(message)));
		cli_json_line(o);
		return;
	}
	printf("%-9s %-5s %s\n", check, words[verdict], message);
}

/* The first line of a small file; false: it is not there. */
static bool read_line(const char *path, char *line, size_t room)
{
	FILE *file = fopen(path, "re");
	bool there = file && fgets(line, (int)room, file);

	if (file)
		fclose(file);
	if (there)
		line[strcspn(line, "\n")] = '\0';
	return there;
}

/* ---- the machine ---- */

static void probe_machine(struct probe *p)
{
	struct utsname u;

	uname(&u);
	say(p, "machine", OK, "Linux %s, %s, %s; aif %s", u.release, u.machine, machine_kind(),
	    aif_version());
}

/* Does depmod know a module for this kernel? */
static bool module_installed(const char *release)
{
	char path[PATH_MAX], *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", release);
	file = fopen(path, "re");
	while (file && !found && getline(&line, &room, file) > 0) {
		char *name;

		line[strcspn(line, ":")] = '\0';
		name = strrchr(line, '/');
		found = !strncmp(name ? name + 1 : line, "aif.ko", 6);
	}
	if (file)
		fclose(file);
	free(line);
	return found;
}

/* False: nothing below can work. */
static bool probe_module(struct probe *p)
{
	char version[64] = "of an unknown version";
	struct utsname u;

	uname(&u);
	if (!access(MODULE_SYS, F_OK)) {
		read_line(MODULE_SYS "/version", version, sizeof(version));
		say(p, "module", OK, "loaded, %s", version);
		return true;
	}
	if (module_installed(u.release))
		say(p, "module", FAIL, "there for kernel %s, but not loaded: modprobe aif",
		    u.release);
	else
		say(p, "module", FAIL,
		    "missing for kernel %s: build it (make module) and install it, or boot a kernel that has it",
		    u.release);
	return false;
}

/* ---- the nodes ---- */

static const char *owner_of(const struct stat *st)
{
	static char text[128];
	const struct passwd *user = getpwuid(st->st_uid);
	const struct group *group = getgrgid(st->st_gid);

	snprintf(text, sizeof(text), "%04o %s:%s", st->st_mode & 07777,
		 user ? user->pw_name : "?", group ? group->gr_name : "?");
	return text;
}

static bool probe_node(struct probe *p)
{
	struct stat st;

	if (stat(p->common.device, &st) < 0) {
		say(p, "node", FAIL, "%s: %s: devtmpfs makes it; in a container, pass it in",
		    p->common.device, strerror(errno));
		return false;
	}
	if (!S_ISCHR(st.st_mode)) {
		say(p, "node", FAIL, "%s: not a character device", p->common.device);
		return false;
	}
	say(p, "node", OK, "%s, %s", p->common.device, owner_of(&st));
	return true;
}

static bool probe_open(struct probe *p)
{
	p->client = aif_client_open(&(struct aif_client_opts) {
		.size = sizeof(struct aif_client_opts), .device = p->common.device,
		.features = AIF_FEATURE_URING,
	});
	if (!p->client) {
		say(p, "open", FAIL, "%s: %s (user %u)", p->common.device,
		    errno == EACCES ? "permission denied" : aif_error_text(errno),
		    (unsigned int)geteuid());
		return false;
	}
	p->info.size = sizeof(p->info);
	aif_client_info(p->client, &p->info);
	say(p, "open", OK, "as user %u, tenant %llu", (unsigned int)geteuid(),
	    (unsigned long long)p->info.tenant);
	return true;
}

static void probe_serve(struct probe *p)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s-serve", p->common.device);
	if (stat(path, &st) < 0)
		say(p, "serve", WARN, "%s: %s", path, strerror(errno));
	else if (access(path, R_OK | W_OK) < 0)
		say(p, "serve", WARN,
		    "%s, %s: you can use services, not create them (module parameter serve_gid)",
		    path, owner_of(&st));
	else
		say(p, "serve", OK, "%s, %s", path, owner_of(&st));
}

/* ---- limits ---- */

static void probe_parameters(struct probe *p)
{
	char all[768] = "", path[PATH_MAX], value[64];
	struct dirent **entries;
	size_t n = 0;
	int count;

	count = scandir(MODULE_SYS "/parameters", &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		snprintf(path, sizeof(path), MODULE_SYS "/parameters/%s", name);
		if (*name != '.' && n < sizeof(all) && read_line(path, value, sizeof(value)))
			n += snprintf(all + n, sizeof(all) - n, "%s%s=%s", n ? " " : "", name,
				      value);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	say(p, "limits", OK, "module parameters: %s", all);
}

/* What the tools need is tried, not computed. */
static void probe_memory(struct probe *p)
{
	struct aif_buffer *buffer = aif_buffer_alloc(p->client, LIMITS_WANTED_BYTES);
	int err = errno;

	if (buffer)
		say(p, "memory", OK, "%u MiB can be allocated; a tenant has at most %llu MiB",
		    LIMITS_WANTED_BYTES >> 20, (unsigned long long)p->info.tenant_bytes >> 20);
	else if (err == EDQUOT)
		say(p, "memory", FAIL,
		    "limit too low: %u MiB cannot be allocated: module parameter tenant_bytes is %llu",
		    LIMITS_WANTED_BYTES >> 20, (unsigned long long)p->info.tenant_bytes);
	else
		say(p, "memory", FAIL, "%u MiB cannot be allocated: %s (or the cgroup's memory.max)",
		    LIMITS_WANTED_BYTES >> 20, aif_error_text(err));
	if (p->info.max_depth < LIMITS_WANTED_DEPTH)
		say(p, "depth", FAIL,
		    "limit too low: %u requests at once, `aif embed` wants %d: module parameter max_depth",
		    p->info.max_depth, LIMITS_WANTED_DEPTH);
	aif_buffer_free(buffer);
}

static void probe_memlock(struct probe *p)
{
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		say(p, "memlock", OK, "RLIMIT_MEMLOCK is unlimited");
	else if (limit.rlim_cur < MEMLOCK_WANTED)
		say(p, "memlock", WARN,
		    "limit low: RLIMIT_MEMLOCK is %llu KiB: little memory of your own can be pinned (ulimit -l, LimitMEMLOCK=)",
		    (unsigned long long)limit.rlim_cur >> 10);
	else
		say(p, "memlock", OK, "RLIMIT_MEMLOCK is %llu KiB",
		    (unsigned long long)limit.rlim_cur >> 10);
}

/* ---- io_uring ---- */

static void uring_forbidden(struct probe *p, int err)
{
	char value[16] = "";

	read_line("/proc/sys/kernel/io_uring_disabled", value, sizeof(value));
	if (err == -ENOSYS)
		say(p, "io_uring", WARN, "this kernel has none; the ioctl door works");
	else if (err == -EPERM && *value && *value != '0')
		say(p, "io_uring", WARN,
		    "forbidden by kernel.io_uring_disabled=%s; the ioctl door works", value);
	else if (err == -EPERM)
		say(p, "io_uring", WARN,
		    "forbidden, by seccomp perhaps (a container's?); the ioctl door works");
	else
		say(p, "io_uring", WARN, "%s; the ioctl door works", strerror(-err));
}

/* One command through a ring: a wait for what has happened already. */
static int uring_try(struct probe *p, struct io_uring *ring)
{
	int err = aif_prep_wait(io_uring_get_sqe(ring), p->client, 0);

	return err ? err : ring_run(ring);
}

static void probe_uring(struct probe *p)
{
	struct io_uring ring;
	int err;

	err = io_uring_queue_init(2, &ring, 0);
	if (err) {
		uring_forbidden(p, err);
		return;
	}
	if (p->client && !(p->info.features & AIF_FEATURE_URING)) {
		say(p, "io_uring", WARN,
		    "this kernel has no ring door (it cannot cancel ring commands); the ioctl door works");
	} else {
		err = p->client ? uring_try(p, &ring) : 0;
		if (err)
			say(p, "io_uring", WARN, "a command fails: %s; the ioctl door works",
			    strerror(-err));
		else
			say(p, "io_uring", OK, p->client ? "a command goes through" : "allowed");
	}
	io_uring_queue_exit(&ring);
}

/* ---- what computes ---- */

static void probe_cpu(struct probe *p)
{
	const struct aif_backend *cpu = aif_backend_find("cpu");
	struct aif_dev *dev;
	int err = cpu->dev_open(NULL, &dev);

	if (err) {
		say(p, "cpu", WARN, "the CPU backend does not start: %s%s", strerror(-err),
		    getenv("AIF_CPU_ISA") ? " (AIF_CPU_ISA is set)" : "");
		return;
	}
	if (strstr(cpu->dev_describe(dev), "avx"))
		say(p, "cpu", OK, "%s", cpu->dev_describe(dev));
	else
		say(p, "cpu", WARN, "%s: no AVX2 here (or AIF_CPU_ISA says so): models run slowly",
		    cpu->dev_describe(dev));
	cpu->dev_close(dev);
}

static void probe_cuda_device(void *ctx, const struct hardware *h)
{
	say(ctx, "cuda", OK, "%s, %s", h->name, h->id);
}

static void probe_cuda(struct probe *p)
{
	hardware_each_cuda(probe_cuda_device, p);
	if (hardware_no_cuda())
		say(p, "cuda", WARN, "%s: models run on the CPU", hardware_no_cuda());
}

/* ---- what is served ---- */

static void probe_service(void *ctx, const struct aif_service_info *s)
{
	struct probe *p = ctx;

	p->services++;
	say(p, "service", s->executors ? OK : WARN, "%s of user %u, model %s, %u executor%s", s->name,
	    s->owner, s->model, s->executors, s->executors == 1 ? "" : "s");
}

static void probe_services(struct probe *p)
{
	int err = cli_each_service(p->client, probe_service, p);

	if (err)
		say(p, "service", FAIL, "services cannot be listed: %s", aif_error_text(err));
	else if (!p->services)
		say(p, "service", WARN, "nothing is served: start aifd");
}

/* ---- all ---- */

static void probe_all(struct probe *p)
{
	probe_machine(p);
	if (probe_module(p) && probe_node(p) && probe_open(p)) {
		probe_serve(p);
		probe_parameters(p);
		probe_memory(p);
		probe_services(p);
	}
	probe_memlock(p);
	probe_uring(p);
	probe_cpu(p);
	probe_cuda(p);
}

static const struct argp_option options[] = {
	CLI_OPTION_DEVICE,
	CLI_OPTION_JSON("A JSON object for each check"),
	{ 0 },
};

int cmd_probe(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = cli_parse_common,
		.doc = "Say what works here, and what does not and why, one check a line.\v"
		       "The status is 1 if the device cannot be used; a warning does not change it.",
	};
	struct probe p = { .common = CLI_COMMON };

	argp_parse(&argp, argc, argv, 0, NULL, &p);
	probe_all(&p);
	if (p.client)
		aif_client_close(p.client);
	return cli_finish(p.failed ? CLI_FAILED : CLI_OK);
}
