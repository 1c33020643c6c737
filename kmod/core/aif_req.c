// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The states of a request, and what its executor's death means for it. */
#include "aif_core.h"

#define STATE_COUNT	(AIF_STATE_DONE + 1)

/*
 * What is not here cannot happen: FREE (0) is left once and never entered
 * again, so its number says "no".  WAITING has no way in before in-fences are
 * granted, and so no way out.
 */
static const u8 next_state[STATE_COUNT][AIF_REQ_EVENT_COUNT] = {
	[AIF_STATE_FREE] = {
		[AIF_REQ_SUBMIT] = AIF_STATE_QUEUED,
	},
	[AIF_STATE_QUEUED] = {
		[AIF_REQ_FETCH] = AIF_STATE_FETCHED,
		[AIF_REQ_ANSWER] = AIF_STATE_DONE,
	},
	[AIF_STATE_FETCHED] = {
		[AIF_REQ_COMMIT] = AIF_STATE_DONE,
		[AIF_REQ_ANSWER] = AIF_STATE_ORPHANED,
		[AIF_REQ_DEATH] = AIF_STATE_RECOVERING,
	},
	[AIF_STATE_RECOVERING] = {
		[AIF_REQ_ANSWER] = AIF_STATE_ORPHANED,
		[AIF_REQ_REQUEUE] = AIF_STATE_QUEUED,
	},
	[AIF_STATE_ORPHANED] = {
		[AIF_REQ_COMMIT] = AIF_STATE_DONE,
		[AIF_REQ_DEATH] = AIF_STATE_ORPHANED,
		[AIF_REQ_QUIET] = AIF_STATE_DONE,
	},
	[AIF_STATE_DONE] = {
		[AIF_REQ_SUBMIT] = AIF_STATE_QUEUED,
	},
};

int aif_req_next(u32 state, enum aif_req_event event)
{
	if (state >= STATE_COUNT || (u32)event >= AIF_REQ_EVENT_COUNT)
		return -EINVAL;
	return next_state[state][event] ?: -EINVAL;
}

bool aif_req_busy(u32 state)
{
	return state != AIF_STATE_FREE && state != AIF_STATE_DONE;
}

bool aif_req_answered(u32 state)
{
	return state == AIF_STATE_DONE || state == AIF_STATE_ORPHANED;
}

/* Poison goes first: whoever kills executors is named, progress or not. */
enum aif_recovery aif_recovery_decide(u32 attempt, u32 max_attempts, u32 produced, u8 flags)
{
	if (attempt >= max_attempts)
		return AIF_RECOVERY_POISON;
	if (produced && !(flags & AIF_REQ_F_RESTART))
		return AIF_RECOVERY_OWNERDEAD;
	return AIF_RECOVERY_REQUEUE;
}
