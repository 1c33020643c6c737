// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Request states: every state times every event, and recovery's decision. */
#include "aif_test.h"

#define NO	(-EINVAL)

enum { FREE, WAITING, QUEUED, FETCHED, RECOVERING, ORPHANED, DONE };

static const struct state_row {
	const char *name;
	int next[AIF_REQ_EVENT_COUNT];
	bool busy;
	bool answered;
} state_rows[] = {
	/*                SUBMIT  FETCH    COMMIT ANSWER    DEATH       REQUEUE QUIET */
	[FREE] = { "free",
			{ QUEUED, NO,      NO,    NO,       NO,         NO,     NO } },
	[WAITING] = { "waiting",
			{ NO,     NO,      NO,    NO,       NO,         NO,     NO }, true },
	[QUEUED] = { "queued",
			{ NO,     FETCHED, NO,    DONE,     NO,         NO,     NO }, true },
	[FETCHED] = { "fetched",
			{ NO,     NO,      DONE,  ORPHANED, RECOVERING, NO,     NO }, true },
	[RECOVERING] = { "recovering",
			{ NO,     NO,      NO,    ORPHANED, NO,         QUEUED, NO }, true },
	[ORPHANED] = { "orphaned",
			{ NO,     NO,      DONE,  NO,       ORPHANED,   NO,     DONE },
			true, true },
	[DONE] = { "done",
			{ QUEUED, NO,      NO,    NO,       NO,         NO,     NO }, false, true },
};

KUNIT_ARRAY_PARAM_DESC(state_rows, state_rows, name);

/* Every event in this state. */
static void test_req_next(struct kunit *test)
{
	const struct state_row *row = test->param_value;
	u32 state = row - state_rows;

	for (u32 event = 0; event < AIF_REQ_EVENT_COUNT; event++)
		KUNIT_EXPECT_EQ(test, aif_req_next(state, event), row->next[event]);
	KUNIT_EXPECT_EQ(test, aif_req_busy(state), row->busy);
	KUNIT_EXPECT_EQ(test, aif_req_answered(state), row->answered);
}

static void test_req_next_outside(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, aif_req_next(AIF_STATE_DONE + 1, AIF_REQ_SUBMIT), -EINVAL);
	KUNIT_EXPECT_EQ(test, aif_req_next(~0u, AIF_REQ_SUBMIT), -EINVAL);
	KUNIT_EXPECT_EQ(test, aif_req_next(AIF_STATE_FREE, AIF_REQ_EVENT_COUNT), -EINVAL);
	KUNIT_EXPECT_EQ(test, aif_req_next(AIF_STATE_FREE, (enum aif_req_event)-1), -EINVAL);
}

/* A step into "answered" happens once: no event leads from there to unanswered but SUBMIT. */
static void test_req_next_answers_once(struct kunit *test)
{
	for (u32 s = 0; s < ARRAY_SIZE(state_rows); s++) {
		for (u32 e = 0; e < AIF_REQ_EVENT_COUNT; e++) {
			int next = aif_req_next(s, e);

			if (next >= 0 && aif_req_answered(s) && e != AIF_REQ_SUBMIT)
				KUNIT_EXPECT_TRUE(test, aif_req_answered(next));
			if (next >= 0 && e == AIF_REQ_SUBMIT)
				KUNIT_EXPECT_FALSE(test, aif_req_busy(s));
		}
	}
}

static const struct recovery_row {
	const char *name;
	u32 attempt, max, produced;
	u8 flags;
	enum aif_recovery want;
} recovery_rows[] = {
	{ "first of two, nothing out", 1, 2, 0, 0, AIF_RECOVERY_REQUEUE },
	{ "first of two, a byte out", 1, 2, 1, 0, AIF_RECOVERY_OWNERDEAD },
	{ "first of two, a byte out, restart", 1, 2, 1, AIF_REQ_F_RESTART, AIF_RECOVERY_REQUEUE },
	{ "first of two, all out, restart", 1, 2, ~0u, AIF_REQ_F_RESTART, AIF_RECOVERY_REQUEUE },
	{ "last of two, nothing out", 2, 2, 0, 0, AIF_RECOVERY_POISON },
	{ "last of two, a byte out", 2, 2, 1, 0, AIF_RECOVERY_POISON },
	{ "last of two, a byte out, restart", 2, 2, 1, AIF_REQ_F_RESTART, AIF_RECOVERY_POISON },
	{ "more than there were", 3, 2, 0, 0, AIF_RECOVERY_POISON },
	{ "the only one", 1, 1, 0, 0, AIF_RECOVERY_POISON },
	{ "last but one of 16", 15, 16, 0, 0, AIF_RECOVERY_REQUEUE },
	{ "last of 16", 16, 16, 0, 0, AIF_RECOVERY_POISON },
};

KUNIT_ARRAY_PARAM_DESC(recovery_rows, recovery_rows, name);

static void test_recovery_decide(struct kunit *test)
{
	const struct recovery_row *row = test->param_value;

	KUNIT_EXPECT_EQ(test, aif_recovery_decide(row->attempt, row->max, row->produced,
						  row->flags), row->want);
}

static struct kunit_case aif_req_cases[] = {
	KUNIT_CASE_PARAM(test_req_next, state_rows_gen_params),
	KUNIT_CASE(test_req_next_outside),
	KUNIT_CASE(test_req_next_answers_once),
	KUNIT_CASE_PARAM(test_recovery_decide, recovery_rows_gen_params),
	{}
};

static struct kunit_suite aif_req_suite = {
	.name = "aif_req",
	.test_cases = aif_req_cases,
};

kunit_test_suite(aif_req_suite);
