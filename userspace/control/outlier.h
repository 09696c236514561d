/*
 * Who is left out for its answers (outlierDetection). Each worker of the proxy
 * counts failures in a row for itself; here they are added up, and the one
 * whose sum is too much is ejected for a while, longer each time. What a worker
 * said counts for an interval: one that gets no more requests would not say
 * that its failures are over. Pure: the time comes as an argument, what follows
 * is the caller's.
 */
#ifndef CONTROL_OUTLIER_H
#define CONTROL_OUTLIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/policy.h"

enum outlier_streak {
	OUTLIER_ERRORS,
	OUTLIER_GATEWAY_ERRORS,
	OUTLIER_STREAKS,
};

struct outlier { /* of an upstream */
	struct policy_outlier policy;
	uint32_t workers;
	size_t ejected;     /* now */
	uint64_t ejections; /* ever */
	uint64_t withheld;  /* that maxEjectionPercent or chance withheld */
};

struct outlier_tally { /* what a worker said last */
	uint64_t at_ms;
	uint32_t streaks[OUTLIER_STREAKS];
};

struct ejection { /* of an endpoint; all zero at first */
	struct outlier_tally *tallies; /* of each worker; NULL: none failed */
	uint64_t until_ms; /* 0: not ejected */
	uint32_t times;    /* how often lately */
	/* That chance withheld; decided once for each run of failures. */
	bool spared[OUTLIER_STREAKS];
};

/* What a worker says of one of count endpoints. True: it is ejected now. */
bool outlier_report(struct outlier *o, struct ejection *e, size_t count,
	uint32_t worker, const uint32_t streaks[OUTLIER_STREAKS],
	uint64_t now_ms);
/* Once each interval. True: its time is over, it comes back. */
bool outlier_look(struct outlier *o, struct ejection *e, uint64_t now_ms);
/* Is there anything that outlier_look may change? */
bool ejection_is_remembered(const struct ejection *e);
/* The workers that failed are no more. */
void ejection_forget_streaks(struct ejection *e);
/* It leaves the set, or is judged no more. */
void ejection_fini(struct ejection *e, struct outlier *o);

#endif
