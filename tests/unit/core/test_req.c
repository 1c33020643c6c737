// SPDX-License-Identifier: MIT
/* Request states: every state times every event, and recovery's decision. */
#include "test_core.h"

#define NO	(-EINVAL)

enum { FREE, WAITING, QUEUED, FETCHED, RECOVERING, ORPHANED, DONE };

static const int next_want[7][AIF_REQ_EVENT_COUNT] = {
	/*                SUBMIT  FETCH    COMMIT ANSWER    DEATH       REQUEUE QUIET */
	[FREE]       = { QUEUED, NO,      NO,    NO,       NO,         NO,     NO },
	[WAITING]    = { NO,     NO,      NO,    NO,       NO,         NO,     NO },
	[QUEUED]     = { NO,     FETCHED, NO,    DONE,     NO,         NO,     NO },
	[FETCHED]    = { NO,     NO,      DONE,  ORPHANED, RECOVERING, NO,     NO },
	[RECOVERING] = { NO,     NO,      NO,    ORPHANED, NO,         QUEUED, NO },
	[ORPHANED]   = { NO,     NO,      DONE,  NO,       ORPHANED,   NO,     DONE },
	[DONE]       = { QUEUED, NO,      NO,    NO,       NO,         NO,     NO },
};

static void test_req_next_every_cell(void **state)
{
	for (u32 s = 0; s < COUNT(next_want); s++) {
		for (u32 e = 0; e < AIF_REQ_EVENT_COUNT; e++) {
			if (aif_req_next(s, e) != next_want[s][e])
				fail_msg("state %u, event %u: %d, not %d", s, e,
					 aif_req_next(s, e), next_want[s][e]);
		}
	}
}

static void test_req_next_outside(void **state)
{
	assert_int_equal(aif_req_next(AIF_STATE_DONE + 1, AIF_REQ_SUBMIT), -EINVAL);
	assert_int_equal(aif_req_next(~0u, AIF_REQ_SUBMIT), -EINVAL);
	assert_int_equal(aif_req_next(AIF_STATE_FREE, AIF_REQ_EVENT_COUNT), -EINVAL);
	assert_int_equal(aif_req_next(AIF_STATE_FREE, (enum aif_req_event)-1), -EINVAL);
}

static void test_req_busy_answered(void **state)
{
	static const bool busy[] = { 0, 1, 1, 1, 1, 1, 0 };
	static const bool answered[] = { 0, 0, 0, 0, 0, 1, 1 };

	for (u32 s = 0; s < COUNT(busy); s++) {
		assert_int_equal(aif_req_busy(s), busy[s]);
		assert_int_equal(aif_req_answered(s), answered[s]);
	}
}

/* A step into "answered" happens once: no event leads from there to unanswered but SUBMIT. */
static void test_req_next_answers_once(void **state)
{
	for (u32 s = 0; s < COUNT(next_want); s++) {
		for (u32 e = 0; e < AIF_REQ_EVENT_COUNT; e++) {
			int next = aif_req_next(s, e);

			if (next >= 0 && aif_req_answered(s) && e != AIF_REQ_SUBMIT)
				assert_true(aif_req_answered(next));
			if (next >= 0 && e == AIF_REQ_SUBMIT)
				assert_false(aif_req_busy(s));
		}
	}
}

static void test_recovery_decide(void **state)
{
	static const struct {
		u32 attempt, max, produced;
		u8 flags;
		enum aif_recovery want;
	} rows[] = {
		{ 1, 2, 0, 0, AIF_RECOVERY_REQUEUE },
		{ 1, 2, 1, 0, AIF_RECOVERY_OWNERDEAD },
		{ 1, 2, 1, AIF_REQ_F_RESTART, AIF_RECOVERY_REQUEUE },
		{ 1, 2, ~0u, AIF_REQ_F_RESTART, AIF_RECOVERY_REQUEUE },
		{ 2, 2, 0, 0, AIF_RECOVERY_POISON },
		{ 2, 2, 1, 0, AIF_RECOVERY_POISON },
		{ 2, 2, 1, AIF_REQ_F_RESTART, AIF_RECOVERY_POISON },
		{ 3, 2, 0, 0, AIF_RECOVERY_POISON },
		{ 1, 1, 0, 0, AIF_RECOVERY_POISON },
		{ 15, 16, 0, 0, AIF_RECOVERY_REQUEUE },
		{ 16, 16, 0, 0, AIF_RECOVERY_POISON },
	};

	for (u32 i = 0; i < COUNT(rows); i++) {
		enum aif_recovery got = aif_recovery_decide(rows[i].attempt, rows[i].max,
							    rows[i].produced, rows[i].flags);

		if (got != rows[i].want)
			fail_msg("row %u: %d, not %d", i, got, rows[i].want);
	}
}

const struct CMUnitTest req_tests[] = {
	cmocka_unit_test(test_req_next_every_cell),
	cmocka_unit_test(test_req_next_outside),
	cmocka_unit_test(test_req_busy_answered),
	cmocka_unit_test(test_req_next_answers_once),
	cmocka_unit_test(test_recovery_decide),
	{ 0 },
};
