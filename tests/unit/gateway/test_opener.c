// SPDX-License-Identifier: MIT
/* The process that opens the device as others; a file of the test stands for the device. */
#include "tests/unit/gateway/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/gateway/opener.h"
#include "runtime/model/why.h"

#define SOCKETS 2
#define LONG_MS 30000
#define MANY 200		/* more than it has children */
#define STRANGER 60123		/* a uid */

static const struct key_tenant stranger = { .type = KEY_TENANT_UID, .uid = STRANGER };
static const struct key_tenant nowhere = {
	.type = KEY_TENANT_CGROUP, .text = "cgroup:/there/is/no/such/group",
};

static char device[96];
static struct opener *opener;

/* A folder that all may enter, with a file that all may open. */
static int set_up(void **state)
{
	struct aif_why why;
	int fd;

	if (rig_set_up(state))
		return -1;
	snprintf(device, sizeof(device), "%s/device", rig_folder);
	fd = open(device, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	if (fd < 0 || fchmod(fd, 0666) || chmod(rig_folder, 0755))
		return -1;
	close(fd);
	opener = opener_start(device, SOCKETS, &why);
	return opener ? 0 : -1;
}

static int tear_down(void **state)
{
	opener_stop(opener);
	return rig_tear_down(state);
}

/* The next answer at @socket. */
static int answer(int socket, uint32_t *id, int *result)
{
	struct pollfd ready = { .fd = socket, .events = POLLIN };

	assert_int_equal(poll(&ready, 1, LONG_MS), 1);
	return opener_answer(socket, id, result);
}

/* What comes back for @tenant alone: a file, or -errno. */
static int ask(int socket, const struct key_tenant *tenant)
{
	uint32_t id;
	int result;

	assert_int_equal(opener_ask(socket, 7, tenant), 0);
	assert_int_equal(answer(socket, &id, &result), 0);
	assert_int_equal(id, 7);
	return result;
}

static void skip_for(const char *reason)
{
	printf("# %s\n", reason);
	fflush(stdout);
	skip();
}

static void needs_root(void)
{
	if (geteuid())
		skip_for("only root may open files as others");
}

static void test_passes_a_file(void **state)
{
	struct stat here, there;
	int fd;

	needs_root();
	fd = ask(opener_socket(opener, 0), &stranger);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &here), 0);
	assert_int_equal(stat(device, &there), 0);
	assert_int_equal(here.st_ino, there.st_ino);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

/* What only root may open tells who opens. */
static void test_opens_as_the_user(void **state)
{
	needs_root();
	assert_int_equal(chmod(device, 0600), 0);
	assert_int_equal(ask(opener_socket(opener, 0), &stranger), -EACCES);
	assert_int_equal(chown(device, STRANGER, 0), 0);
	assert_int_equal(close(ask(opener_socket(opener, 0), &stranger)), 0);
}

/* A named user's own groups count, and this process's do not. */
static void test_opens_with_the_groups_of_the_user(void **state)
{
	const struct passwd *mail = getpwnam("mail");
	struct key_tenant user = { .type = KEY_TENANT_UID };

	needs_root();
	if (!mail)
		skip_for("there is no user mail");
	user.uid = mail->pw_uid;
	assert_int_equal(chown(device, 0, mail->pw_gid), 0);
	assert_int_equal(chmod(device, 0660), 0);
	assert_int_equal(close(ask(opener_socket(opener, 0), &user)), 0);
	assert_int_equal(chown(device, 0, 0), 0);
	assert_int_equal(ask(opener_socket(opener, 0), &user), -EACCES);
}

static void test_no_such_cgroup(void **state)
{
	assert_int_equal(ask(opener_socket(opener, 0), &nowhere), -ENOENT);
}

/* One that was started without the right to. */
static void test_may_not(void **state)
{
	struct key_tenant root = { .type = KEY_TENANT_UID, .uid = 0 };
	bool privileged = !geteuid();
	struct aif_why why;

	opener_stop(opener);
	if (privileged)
		assert_int_equal(seteuid(STRANGER), 0);
	opener = opener_start(device, SOCKETS, &why);
	if (privileged)
		assert_int_equal(seteuid(0), 0);
	assert_non_null(opener);
	assert_int_equal(ask(opener_socket(opener, 0), &root), -EPERM);
}

static void test_no_such_device(void **state)
{
	needs_root();
	assert_int_equal(unlink(device), 0);
	assert_int_equal(ask(opener_socket(opener, 0), &stranger), -ENOENT);
}

/* More at once than it has children: each is answered once, at the socket that asked. */
static void test_many(void **state)
{
	bool seen[SOCKETS][MANY] = { { false } };
	unsigned int asked[SOCKETS] = { 0 }, left;
	int result;
	uint32_t id;

	for (unsigned int s = 0; s < SOCKETS; s++) {
		while (asked[s] < MANY && !opener_ask(opener_socket(opener, s), asked[s], &nowhere))
			asked[s]++;
		assert_true(asked[s] > 10);
	}
	for (unsigned int s = 0; s < SOCKETS; s++) {
		for (left = asked[s]; left; left--) {
			assert_int_equal(answer(opener_socket(opener, s), &id, &result), 0);
			assert_int_equal(result, -ENOENT);
			assert_true(id < MANY && !seen[s][id]);
			seen[s][id] = true;
		}
		assert_int_equal(opener_answer(opener_socket(opener, s), &id, &result), -EAGAIN);
	}
}

/* Opening a file that another has a lease on waits until that one lets go: closes this. */
static int lease(void)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	signal(SIGIO, SIG_IGN);
	if (fcntl(fd, F_SETLEASE, F_WRLCK)) {
		close(fd);
		skip_for("this file system has no leases");
	}
	return fd;
}

/* A child that waits is killed, and others are answered meanwhile. */
static void test_a_device_that_does_not_open(void **state)
{
	int socket = opener_socket(opener, 0), fd, result;
	uint32_t id;

	needs_root();
	fd = lease();
	assert_int_equal(opener_ask(socket, 1, &stranger), 0);
	assert_int_equal(opener_ask(socket, 2, &nowhere), 0);
	assert_int_equal(answer(socket, &id, &result), 0);
	assert_int_equal(id, 2);
	assert_int_equal(answer(socket, &id, &result), 0);
	assert_int_equal(id, 1);
	assert_int_equal(result, -ETIME);
	close(fd);
	fd = ask(socket, &stranger);
	assert_true(fd >= 0);
	close(fd);
}

/* The first child of a process; 0: it has none. */
static pid_t child_of(pid_t pid)
{
	char path[64], text[32] = "";
	FILE *children;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	children = fopen(path, "re");
	assert_non_null(children);
	if (!fgets(text, sizeof(text), children))
		*text = '\0';
	fclose(children);
	return (pid_t)strtol(text, NULL, 10);
}

/* The only child of this process. */
static pid_t find_opener(void)
{
	return child_of(getpid());
}

/* A child of the opener that waits for the device. */
static pid_t waiting_child(int socket)
{
	pid_t child;

	assert_int_equal(opener_ask(socket, 1, &stranger), 0);
	while (!(child = child_of(find_opener())))
		;
	return child;
}

/* A child is the tenant's, who may stop it: it ends in time all the same. */
static void test_a_child_that_is_stopped(void **state)
{
	int socket = opener_socket(opener, 0), fd, result;
	uint32_t id;

	needs_root();
	fd = lease();
	assert_int_equal(kill(waiting_child(socket), SIGSTOP), 0);
	assert_int_equal(answer(socket, &id, &result), 0);
	assert_int_equal(result, -ETIME);
	while (child_of(find_opener()))
		usleep(1000);
	close(fd);
	assert_int_equal(close(ask(socket, &stranger)), 0);
}

/* Whoever starts a program may let it ignore SIGCHLD, which tells of a child's end. */
static void test_ignored_signals_are_inherited(void **state)
{
	struct aif_why why;

	needs_root();
	opener_stop(opener);
	signal(SIGCHLD, SIG_IGN);
	opener = opener_start(device, SOCKETS, &why);
	signal(SIGCHLD, SIG_DFL);
	assert_non_null(opener);
	for (unsigned int i = 0; i < MANY; i++)
		assert_int_equal(ask(opener_socket(opener, 0), &nowhere), -ENOENT);
}

/* Starts another, and says which process that is. */
__attribute__((noreturn))
static void start_another(int end)
{
	struct aif_why why;
	pid_t pid;

	opener = opener_start(device, SOCKETS, &why);
	pid = opener ? find_opener() : 0;
	if (write(end, &pid, sizeof(pid)) == sizeof(pid))
		pause();
	_exit(1);
}

static void test_ends_with_its_process(void **state)
{
	struct pollfd gone = { .events = POLLIN };
	int ends[2];
	pid_t parent, pid;

	assert_int_equal(pipe(ends), 0);
	parent = fork();
	if (!parent)
		start_another(ends[1]);
	assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
	gone.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(gone.fd >= 0);
	assert_int_equal(kill(parent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	assert_int_equal(poll(&gone, 1, LONG_MS), 1);
	close(gone.fd);
	close(ends[0]);
	close(ends[1]);
}

/* The kernel kills it when the tenant's memory is used up. */
static void test_a_child_that_is_killed(void **state)
{
	int socket = opener_socket(opener, 0), fd, result;
	uint32_t id;

	needs_root();
	fd = lease();
	assert_int_equal(kill(waiting_child(socket), SIGKILL), 0);
	assert_int_equal(answer(socket, &id, &result), 0);
	assert_int_equal(result, -ENOMEM);
	close(fd);
}

/* A file came, and there is no descriptor for it. */
static void test_no_descriptor_left(void **state)
{
	struct rlimit before, none;
	uint32_t id;
	int result;

	needs_root();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	assert_int_equal(opener_ask(opener_socket(opener, 0), 7, &stranger), 0);
	poll(&(struct pollfd){ .fd = opener_socket(opener, 0), .events = POLLIN }, 1, LONG_MS);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(opener_answer(opener_socket(opener, 0), &id, &result), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(result, -EMFILE);
}

/* Also of one that has children, which end with it. */
static void test_its_death_with_a_child(void **state)
{
	int socket = opener_socket(opener, 0), fd, result;
	struct pollfd gone = { .events = POLLIN };
	uint32_t id;

	needs_root();
	fd = lease();
	gone.fd = (int)syscall(SYS_pidfd_open, waiting_child(socket), 0);
	assert_true(gone.fd >= 0);
	usleep(100000);		/* it has become the tenant, most likely */
	assert_int_equal(kill(find_opener(), SIGKILL), 0);
	for (unsigned int i = 0; i < SOCKETS; i++)
		assert_int_equal(answer(opener_socket(opener, i), &id, &result), -EPIPE);
	assert_int_equal(poll(&gone, 1, LONG_MS), 1);
	close(gone.fd);
	close(fd);
}

static void test_its_death_is_seen(void **state)
{
	uint32_t id;
	int result;

	assert_int_equal(kill(find_opener(), SIGKILL), 0);
	for (unsigned int i = 0; i < SOCKETS; i++) {
		assert_int_equal(answer(opener_socket(opener, i), &id, &result), -EPIPE);
		assert_int_equal(opener_ask(opener_socket(opener, i), 1, &nowhere), -EPIPE);
	}
}

/* A terminal's ^C and systemd's SIGTERM reach it too: a drain still needs it. */
static void test_outlives_signals(void **state)
{
	pid_t pid = find_opener();
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	for (unsigned int i = 0; i < COUNT(signals); i++)
		assert_int_equal(kill(pid, signals[i]), 0);
	assert_int_equal(ask(opener_socket(opener, 0), &nowhere), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_passes_a_file),
		TEST(test_opens_as_the_user),
		TEST(test_opens_with_the_groups_of_the_user),
		TEST(test_no_such_cgroup),
		TEST(test_may_not),
		TEST(test_no_such_device),
		TEST(test_many),
		TEST(test_a_device_that_does_not_open),
		TEST(test_a_child_that_is_stopped),
		TEST(test_ignored_signals_are_inherited),
		TEST(test_ends_with_its_process),
		TEST(test_a_child_that_is_killed),
		TEST(test_no_descriptor_left),
		TEST(test_its_death_with_a_child),
		TEST(test_its_death_is_seen),
		TEST(test_outlives_signals),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
