// SPDX-License-Identifier: MIT
/*
 * Those who do what they should not, or at the wrong time: commits of slots that
 * are not one's own, calls by who is not the executor, ends of processes and
 * files that nobody announced; cancel and expiry in every state.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "side.h"

#define A_WHILE_MS	100

/* ---- commits ---- */

static long deed_commit(long *arg)
{
	me.executor.commit[0] = (struct aif_commit){
		.type = (uint32_t)arg[3], .index = (uint32_t)arg[0],
		.generation = (uint32_t)arg[1], .result = (int)arg[2],
		.__reserved = (uint32_t)arg[4],
	};
	return door_turn(me.executor_door, &me.executor, AIF_FETCH_F_COMMIT_ONLY, 1, 0);
}

/* A commit that names nothing of @p's is counted, and changes nothing. */
static void expect_stale(struct party *p, uint32_t index, uint32_t generation)
{
	long n = side_counted("stale_commits");

	assert_int_equal(ASK(p, deed_commit, index, generation, 0, AIF_COMMIT_RESULT), 0);
	assert_int_equal(side_counted("stale_commits"), n + 1);
}

static void test_commit_of_anothers_slot(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *other = executor_new(side_door);
	struct held h;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	h = executor_held(t.executor, 0);
	expect_stale(other, h.slot, h.generation);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_FETCHED);
	assert_int_equal(ASK(t.executor, deed_commit, h.slot, h.generation, 7), 0);
	assert_int_equal(client_result(t.client, 0), 7);
}

static void test_commit_twice(void **state)
{
	struct trio t = trio_new(NULL);
	struct held first, second;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	first = executor_held(t.executor, 0);
	assert_int_equal(executor_give(t.executor, 0, 1), 0);
	expect_stale(t.executor, first.slot, first.generation);

	/* Nor does it answer whoever has the slot next. */
	assert_int_equal(client_send(t.client, 1, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	second = executor_held(t.executor, 1);
	assert_int_equal(second.slot, first.slot);
	assert_int_not_equal(second.generation, first.generation);
	expect_stale(t.executor, first.slot, first.generation);
	assert_int_equal(client_state(t.client, 1), AIF_STATE_FETCHED);
	assert_int_equal(executor_give(t.executor, 1, 2), 0);
	assert_int_equal(client_result(t.client, 0), 1);
	assert_int_equal(client_result(t.client, 1), 2);
	assert_int_equal(client_answered(t.client), 2);
}

static void test_commit_of_what_never_was(void **state)
{
	struct trio t = trio_new(NULL);
	struct held h;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	h = executor_held(t.executor, 0);
	expect_stale(t.executor, h.slot, h.generation + 1);
	expect_stale(t.executor, h.slot, h.generation - 1);
	expect_stale(t.executor, h.slot, 0);
	expect_stale(t.executor, h.slot + 1, h.generation);
	expect_stale(t.executor, SIDE_SLOTS, h.generation);
	expect_stale(t.executor, UINT32_MAX, h.generation);
	/* An unknown type, a reserved field, an acknowledgement of nothing. */
	assert_int_equal(ASK(t.executor, deed_commit, h.slot, h.generation, 0, 7), 0);
	assert_int_equal(ASK(t.executor, deed_commit, h.slot, h.generation, 0, 0, 1), 0);
	assert_int_equal(ASK(t.executor, deed_commit, 1, 0, 0, AIF_COMMIT_GRANT_ACK), 0);
	assert_int_equal(ASK(t.executor, deed_commit, 999, 0, 0, AIF_COMMIT_GRANT_ACK), 0);
	assert_int_equal(side_counted("stale_commits"), 6 + 4);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_FETCHED);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
}

static long deed_commit_three(long *arg)
{
	struct raw_taken stale = { SIDE_SLOTS, 1 };
	struct raw_taken all[3] = { me.taken[0], stale, me.taken[1] };
	int i;

	for (i = 0; i < 3; i++)
		me.executor.commit[i] = (struct aif_commit){
			.index = all[i].slot, .generation = all[i].generation, .result = i,
		};
	return door_turn(me.executor_door, &me.executor, AIF_FETCH_F_COMMIT_ONLY, 3, 0);
}

static void test_stale_commit_between_good_ones(void **state)
{
	struct trio t = trio_new(NULL);

	assert_int_equal(client_send(t.client, 0, 2), 2);
	assert_int_equal(executor_take(t.executor, 2), 2);
	assert_int_equal(ASK(t.executor, deed_commit_three), 0);
	assert_int_equal(side_counted("stale_commits"), 1);
	assert_int_equal(client_result(t.client, 0), 0);
	assert_int_equal(client_result(t.client, 1), 2);
}

static long deed_progress_of(long *arg)
{
	struct raw_taken t = { (uint32_t)arg[0], (uint32_t)arg[1] };

	return door_progress(me.executor_door, &me.executor, t, 1);
}

static void test_progress_of_what_is_not_ones_own(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *other = executor_new(side_door);
	struct held h;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	h = executor_held(t.executor, 0);
	assert_int_equal(ASK(other, deed_progress_of, h.slot, h.generation), -ESTALE);
	assert_int_equal(ASK(t.executor, deed_progress_of, h.slot, h.generation + 1), -ESTALE);
	assert_int_equal(ASK(t.executor, deed_progress_of, SIDE_SLOTS, 1), -ESTALE);
	assert_int_equal(ASK(t.executor, deed_progress_of, UINT32_MAX, 1), -ESTALE);
	assert_int_equal(client_look(t.client, 0).produced, 0);
	assert_int_equal(executor_progress(t.executor, 0, 100), 0);
	assert_int_equal(executor_progress(t.executor, 0, 50), 0);	/* never goes back */
	assert_int_equal(client_look(t.client, 0).produced, 100);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(client_look(t.client, 0).produced, 100);
	assert_int_equal(executor_progress(t.executor, 0, 200), -ESTALE);
}

/* ---- cancel and expiry ---- */

static long deed_cancel_generation(long *arg)
{
	return door_cancel(me.client_door, &me.client, (uint32_t)arg[0],
			   me.generation[arg[0]] + (uint32_t)arg[1]);
}

static void test_cancel_of_what_is_not_in_flight(void **state)
{
	struct trio t = trio_new(NULL);

	assert_int_equal(client_cancel(t.client, 0), -ENOENT);
	assert_int_equal(client_cancel(t.client, AIF_TAG_ALL), 0);
	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(ASK(t.client, deed_cancel_generation, 0, 1), -ENOENT);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_QUEUED);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(ASK(t.client, deed_cancel_generation, 0, -1), -ENOENT);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(client_cancel(t.client, 0), -ENOENT);
	assert_int_equal(client_result(t.client, 0), 0);
}

static long deed_revoke(long *arg)
{
	return raw_revoke(&me.client, me.grant);
}

/* Answer with @result by what answers so, or wait until the deadline does it. */
static void end_request(struct party *client, int result)
{
	if (result == -ECANCELED)
		assert_int_equal(client_cancel(client, 0), 0);
	if (result == -EKEYREVOKED)
		assert_int_equal(ASK(client, deed_revoke), 0);
	EVENTUALLY(client_answered(client) == 1);
}

static void send_to_end(struct party *client, int result)
{
	/* Soon enough for a test, late enough for the executor. */
	assert_int_equal(result == -ETIME ? client_send_until(client, 0, 600) :
			 client_send(client, 0, 1), 1);
}

static void end_while_queued(int result)
{
	struct trio t = trio_new(NULL);

	send_to_end(t.client, result);
	end_request(t.client, result);
	assert_int_equal(client_result(t.client, 0), result);
	assert_int_equal(client_look(t.client, 0).attempt, 0);
	assert_int_equal(executor_take(t.executor, 1), 0);
	assert_int_equal(executor_events(t.executor, AIF_EVENT_CANCELLED), 0);
	assert_int_equal(client_cancel(t.client, 0), -ENOENT);
}

static void test_cancel_while_queued(void **state)
{
	end_while_queued(-ECANCELED);
}

static void test_expiry_while_queued(void **state)
{
	end_while_queued(-ETIME);
}

static void end_while_fetched(int result)
{
	struct trio t = trio_new(NULL);

	send_to_end(t.client, result);
	assert_int_equal(executor_take(t.executor, 1), 1);
	end_request(t.client, result);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_ORPHANED);
	assert_int_equal(client_cancel(t.client, 0), -ENOENT);
	assert_int_equal(executor_progress(t.executor, 0, 10), 1);
	assert_int_equal(client_look(t.client, 0).produced, 0);
	assert_int_equal(executor_take(t.executor, 1), 0);
	assert_int_equal(executor_events(t.executor, AIF_EVENT_CANCELLED), 1);
	assert_int_equal(client_send(t.client, 0, 1), -EBUSY);
	client_begin_quiet(t.client, 0);
	NEVER_FOR(20, party_is_done(t.client));
	assert_int_equal(executor_give(t.executor, 0, 0), 0);
	assert_int_equal(side_counted("stale_commits"), 0);
	assert_int_equal(party_end(t.client), 0);
	assert_int_equal(client_result(t.client, 0), result);
	assert_int_equal(client_answered(t.client), 1);
	assert_int_equal(client_cancel(t.client, 0), -ENOENT);
}

static void test_cancel_while_fetched(void **state)
{
	end_while_fetched(-ECANCELED);
}

static void test_expiry_while_fetched(void **state)
{
	end_while_fetched(-ETIME);
}

static void end_while_recovering(int result)
{
	struct aif_service_desc desc = side_desc();
	struct party *heir;
	struct trio t;

	desc.progress_ms = 50;
	t = trio_new(&desc);
	send_to_end(t.client, result);
	assert_int_equal(executor_take(t.executor, 1), 1);
	party_stop(t.executor);
	EVENTUALLY(client_state(t.client, 0) == AIF_STATE_RECOVERING);
	end_request(t.client, result);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_ORPHANED);
	client_begin_quiet(t.client, 0);
	NEVER_FOR(20, party_is_done(t.client));
	party_kill(t.executor);
	assert_int_equal(party_end(t.client), 0);
	assert_int_equal(client_result(t.client, 0), result);
	heir = executor_new(side_door);
	assert_int_equal(executor_take(heir, 1), 0);
	assert_int_equal(side_counted("recoveries"), 0);
}

static void test_cancel_while_recovering(void **state)
{
	end_while_recovering(-ECANCELED);
}

static void test_expiry_while_recovering(void **state)
{
	end_while_recovering(-ETIME);
}

static void test_revocation_while_recovering(void **state)
{
	end_while_recovering(-EKEYREVOKED);
}

/* A request that was executed twice still has the deadline it came with. */
static void test_expiry_after_recovery(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *heir;

	assert_int_equal(client_send_until(t.client, 0, 800), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	party_kill(t.executor);
	EVENTUALLY(side_counted("recoveries") == 1);
	EVENTUALLY(client_answered(t.client) == 1);
	assert_int_equal(client_result(t.client, 0), -ETIME);
	heir = executor_new(side_door);
	assert_int_equal(executor_take(heir, 1), 0);
}

static void test_deadline_after_the_answer(void **state)
{
	struct trio t = trio_new(NULL);

	assert_int_equal(client_send_until(t.client, 0, 400), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(client_send(t.client, 0, 1), 1);	/* the tag, without one */
	NEVER_FOR(500, client_answered(t.client) != 1);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_QUEUED);
}

static void test_cancel_all(void **state)
{
	struct trio t = trio_new(NULL);

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(client_send(t.client, 1, 4), 4);
	assert_int_equal(client_cancel(t.client, AIF_TAG_ALL), 0);
	assert_int_equal(client_answered(t.client), 5);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_ORPHANED);
	assert_int_equal(client_result(t.client, 4), -ECANCELED);
	assert_int_equal(executor_give(t.executor, 0, 0), 0);
	assert_int_equal(client_result(t.client, 0), -ECANCELED);
}

/* ---- who is not the executor ---- */

static long deed_map_slots(long *arg)
{
	void *p = mmap(NULL, SIDE_PAGE, PROT_READ, MAP_SHARED, me.executor.fd,
		       (off_t)AIF_ARRAY_SLOT << 24);

	return p == MAP_FAILED ? -errno : 0;
}

static long deed_map_view(long *arg)
{
	void *p = mmap(NULL, SIDE_PAGE, PROT_READ, MAP_SHARED, me.executor.fd,
		       (off_t)me.executor.views[0].offset);

	return p == MAP_FAILED ? -errno : 0;
}

static long deed_declare(long *arg)
{
	struct aif_ioc_declare_pins d = { .size = sizeof(d), .handle = 1, .pins = 1000 };

	return raw_call(me.executor.fd, AIF_IOC_DECLARE_PINS, &d);
}

/* By a door of its own: a ring that is shared is its owner's in some ways. */
static long deed_turn(long *arg)
{
	struct door door;
	int ret = door_open(&door, side_door);

	if (!ret)
		ret = door_turn(&door, &me.executor, (uint32_t)arg[0], (uint32_t)arg[1],
				(uint32_t)arg[2]);
	door_close(&door);
	return ret;
}

static long deed_progress_alone(long *arg)
{
	struct door door;
	int ret = door_open(&door, side_door);

	if (!ret)
		ret = door_progress(&door, &me.executor, me.taken[0], 1);
	door_close(&door);
	return ret;
}

static void expect_no_executor(struct party *p)
{
	assert_int_equal(ASK(p, deed_turn, AIF_FETCH_F_NONBLOCK, 0, 1), -EPERM);
	assert_int_equal(ASK(p, deed_turn, 0, 0, 1), -EPERM);
	assert_int_equal(ASK(p, deed_turn, AIF_FETCH_F_COMMIT_ONLY, 1, 0), -EPERM);
	assert_int_equal(ASK(p, deed_progress_alone), -EPERM);
	assert_int_equal(ASK(p, deed_declare), -EPERM);
	assert_int_equal(ASK(p, deed_map_slots), -EPERM);
	assert_int_equal(ASK(p, deed_map_view), -EPERM);
}

static long deed_read_view(long *arg)
{
	return *(volatile uint8_t *)me.executor.views[0].base;
}

static void test_forked_helper_is_no_executor(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *helper, *heir;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	helper = party_fork(t.executor);
	expect_no_executor(helper);
	assert_int_equal(client_state(t.client, 0), AIF_STATE_FETCHED);

	/* It has the file, and keeps nothing alive with it. */
	party_kill(t.executor);
	heir = executor_new(side_door);
	executor_begin_take(heir, 1);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
	expect_no_executor(helper);

	/* The mappings were not inherited. */
	BEGIN(helper, deed_read_view);
	assert_int_equal(party_gone(helper), -SIGSEGV);
}

static void test_end_of_a_helper_is_no_death(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *helper;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	helper = party_fork(t.executor);
	party_kill(helper);
	raw_sleep_ms(A_WHILE_MS);
	assert_int_equal(side_counted("executor_deaths"), 0);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
}

/* Another process in the executor's memory, as vfork() makes it. */
static int __attribute__((noreturn)) share_memory(void *arg)
{
	for (;;)
		pause();
}

static long deed_clone_vm(long *arg)
{
	static char stack[16384] __attribute__((aligned(16)));

	return clone(share_memory, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
}

/* Who has its memory can write what it could: until both are gone. */
static void test_process_that_shares_its_memory(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *heir = executor_new(side_door);
	long child;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	child = ASK(t.executor, deed_clone_vm);
	assert_true(child > 0);
	party_kill(t.executor);
	assert_int_equal(side_counted("executor_deaths"), 1);
	assert_int_equal(executor_take(heir, 1), 0);
	executor_begin_take(heir, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(heir));
	assert_int_equal(client_state(t.client, 0), AIF_STATE_RECOVERING);
	assert_int_equal(kill((pid_t)child, SIGKILL), 0);
	assert_int_equal(waitpid((pid_t)child, NULL, 0), child);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
}

/* Nobody closes a table of files that a child shares: there is no flush. */
static long deed_clone_files(long *arg)
{
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		share_memory(NULL);
	return pid;
}

static void test_process_that_shares_its_files(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *heir = executor_new(side_door);
	long child;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	child = ASK(t.executor, deed_clone_files);
	assert_true(child > 0);
	party_kill(t.executor);
	executor_begin_take(heir, 1);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_held(heir, 0).attempt, 2);
	assert_int_equal(executor_echo(heir, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
	assert_int_equal(kill((pid_t)child, SIGKILL), 0);
	assert_int_equal(waitpid((pid_t)child, NULL, 0), child);
}

static long deed_fd(long *arg)
{
	return me.executor.fd;
}

static long deed_steal(long *arg)
{
	int pidfd = (int)syscall(SYS_pidfd_open, arg[0], 0);

	me.executor.fd = (int)syscall(SYS_pidfd_getfd, pidfd, arg[1], 0);
	if (me.executor.fd < 0 || setresuid(RAW_ATTACKER_UID, RAW_ATTACKER_UID, RAW_ATTACKER_UID))
		return -errno;
	me.executor.commit = mmap(NULL, SIDE_PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 0;
}

static void test_file_in_foreign_hands(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *attacker = party_new(0);

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(ASK(attacker, deed_steal, party_pid(t.executor),
			     ASK(t.executor, deed_fd)), 0);
	expect_no_executor(attacker);
	party_kill(attacker);
	assert_int_equal(executor_echo(t.executor, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
}

/* ---- unannounced ends ---- */

static long deed_exit(long *arg)
{
	_exit(7);
}

static void test_executor_exits(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *heir;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	BEGIN(t.executor, deed_exit);
	assert_int_equal(party_gone(t.executor), 7);
	heir = executor_new(side_door);
	executor_begin_take(heir, 1);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
}

static long deed_close_executor(long *arg)
{
	door_close(me.executor_door);
	raw_executor_close(&me.executor);
	return 0;
}

/* It has closed its file, but who knows what it still writes: as long as it lives. */
static void test_executor_closes_its_file(void **state)
{
	struct trio t = trio_new(NULL);
	struct party *heir = executor_new(side_door);

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	assert_int_equal(ASK(t.executor, deed_close_executor), 0);
	EVENTUALLY(side_counted("executor_deaths") == 1);
	assert_int_equal(executor_take(heir, 1), 0);
	executor_begin_take(heir, 1);
	NEVER_FOR(A_WHILE_MS, party_is_done(heir));
	assert_int_equal(client_state(t.client, 0), AIF_STATE_RECOVERING);
	party_kill(t.executor);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_echo(heir, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
}

static long deed_inherit_executor(long *arg)
{
	return fcntl(me.executor.fd, F_SETFD, 0);
}

static long deed_adopt_executor(long *arg)
{
	me.executor.fd = (int)arg[0];
	me.executor.commit = mmap(NULL, SIDE_PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 0;
}

static void executor_execs(bool inherit)
{
	struct trio t = trio_new(NULL);
	struct party *heir;
	long fd;

	assert_int_equal(client_send(t.client, 0, 1), 1);
	assert_int_equal(executor_take(t.executor, 1), 1);
	fd = ASK(t.executor, deed_fd);
	if (inherit)
		assert_int_equal(ASK(t.executor, deed_inherit_executor), 0);
	party_exec(t.executor);
	heir = executor_new(side_door);
	executor_begin_take(heir, 1);
	assert_int_equal(party_end(heir), 1);
	assert_int_equal(executor_held(heir, 0).attempt, 2);
	assert_int_equal(executor_echo(heir, 0), 0);
	assert_int_equal(client_result(t.client, 0), 0);
	if (inherit) {
		assert_int_equal(ASK(t.executor, deed_adopt_executor, fd), 0);
		expect_no_executor(t.executor);
	}
}

static void test_executor_execs(void **state)
{
	executor_execs(false);
}

/* It is another program now, with the file but without the memory. */
static void test_executor_execs_and_keeps_its_file(void **state)
{
	executor_execs(true);
}

static long deed_close_client(long *arg)
{
	door_close(me.client_door);
	munmap(me.buffer.base, me.buffer.length);
	raw_client_close(&me.client);
	return 0;
}

static void test_client_closes_with_requests_queued(void **state)
{
	struct trio t = trio_new(NULL);

	assert_int_equal(client_send(t.client, 0, SIDE_DEPTH), SIDE_DEPTH);
	assert_int_equal(ASK(t.client, deed_close_client), 0);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
	assert_int_equal(executor_take(t.executor, 1), 0);
	assert_int_equal(executor_events(t.executor, AIF_EVENT_GRANT_REVOKED), 1);
	assert_int_equal(raw_alive_becomes("grants", 0), 0);
	assert_int_equal(raw_alive_becomes("buffers", 0), 0);
}

static void test_client_closes_with_requests_fetched(void **state)
{
	struct trio t = trio_new(NULL);

	assert_int_equal(client_send(t.client, 0, 3), 3);
	assert_int_equal(executor_take(t.executor, 2), 2);
	assert_int_equal(ASK(t.client, deed_close_client), 0);
	assert_int_equal(side_counted("answered"), 3);
	assert_int_equal(executor_take(t.executor, 1), 0);
	assert_int_equal(executor_events(t.executor, AIF_EVENT_CANCELLED), 2);
	assert_int_equal(executor_events(t.executor, AIF_EVENT_GRANT_REVOKED), 1);
	assert_int_equal(executor_give(t.executor, 0, 0), 0);
	NEVER_FOR(20, raw_alive("clients") != 1);
	assert_int_equal(executor_give(t.executor, 1, 0), 0);
	assert_int_equal(side_counted("stale_commits"), 0);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
	assert_int_equal(raw_alive_becomes("buffers", 0), 0);
}

static long deed_submit_and_wait(long *arg)
{
	struct aif_desc d[2] = { side_request(0, 0, 0), side_request(1, 0, 0) };

	return door_submit(me.client_door, &me.client, d, 2, AIF_SUBMIT_F_WAIT_ALL);
}

/* One of its requests is being executed, the other is not. */
static void test_client_is_killed_in_submit(void **state)
{
	struct trio t = trio_new(NULL);

	BEGIN(t.client, deed_submit_and_wait);
	executor_begin_take(t.executor, 1);
	assert_int_equal(party_end(t.executor), 1);
	party_kill(t.client);
	EVENTUALLY(side_counted("answered") == 2);
	assert_int_equal(executor_take(t.executor, 1), 0);
	assert_int_equal(executor_events(t.executor, AIF_EVENT_CANCELLED), 1);
	assert_int_equal(executor_give(t.executor, 0, 0), 0);
	assert_int_equal(raw_alive_becomes("clients", 0), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SIDE_TEST(test_commit_of_anothers_slot),
		SIDE_TEST(test_commit_twice),
		SIDE_TEST(test_commit_of_what_never_was),
		SIDE_TEST(test_stale_commit_between_good_ones),
		SIDE_TEST(test_progress_of_what_is_not_ones_own),
		SIDE_TEST(test_cancel_of_what_is_not_in_flight),
		SIDE_TEST(test_cancel_while_queued),
		SIDE_TEST(test_expiry_while_queued),
		SIDE_TEST(test_cancel_while_fetched),
		SIDE_TEST(test_expiry_while_fetched),
		SIDE_TEST(test_cancel_while_recovering),
		SIDE_TEST(test_expiry_while_recovering),
		SIDE_TEST(test_revocation_while_recovering),
		SIDE_TEST(test_expiry_after_recovery),
		SIDE_TEST(test_deadline_after_the_answer),
		SIDE_TEST(test_cancel_all),
		SIDE_TEST(test_forked_helper_is_no_executor),
		SIDE_TEST(test_end_of_a_helper_is_no_death),
		SIDE_TEST(test_process_that_shares_its_memory),
		SIDE_TEST(test_process_that_shares_its_files),
		SIDE_TEST(test_file_in_foreign_hands),
		SIDE_TEST(test_executor_exits),
		SIDE_TEST(test_executor_closes_its_file),
		SIDE_TEST(test_executor_execs),
		SIDE_TEST(test_executor_execs_and_keeps_its_file),
		SIDE_TEST(test_client_closes_with_requests_queued),
		SIDE_TEST(test_client_closes_with_requests_fetched),
		SIDE_TEST(test_client_is_killed_in_submit),
	};

	side_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
