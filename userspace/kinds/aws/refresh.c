/* When credentials are got again. */
#include "kinds/aws/refresh.h"

#include <stdlib.h>

#define SCALE_MS           50 /* SDKs' "standard" retries: of a failure */
#define SCALE_THROTTLED_MS 1000
#define SCALE_MAX_MS       20000
#define PAUSE_MIN_MS       1000
#define AGAIN_MIN_MS       30000 /* a source that has no others yet */

static uint64_t
below(uint64_t bound_ms)
{
	return bound_ms == 0 ? 0 : arc4random_uniform((uint32_t)bound_ms);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct refresh_times
refresh_times(uint64_t expires_ms, uint64_t now_ms, bool same, bool file)
{
	struct refresh_times t = { UINT64_MAX, UINT64_MAX };
	uint64_t left_ms = expires_ms > now_ms ? expires_ms - now_ms : 0;
	uint64_t advisory_ms = least(REFRESH_ADVISORY_MS, left_ms / 2);
	uint64_t mandatory_ms = least(REFRESH_MANDATORY_MS, left_ms / 3);

	if (expires_ms == 0) {
		if (file)
			t.renew_ms = now_ms + REFRESH_FILE_MS / 2 +
				     below(REFRESH_FILE_MS / 2);
		return t;
	}
	t.mandatory_ms = expires_ms - mandatory_ms;
	if (left_ms == 0 || (same && left_ms <= REFRESH_ADVISORY_MS))
		t.renew_ms = now_ms + AGAIN_MIN_MS + below(AGAIN_MIN_MS);
	else
		t.renew_ms = expires_ms - advisory_ms +
			     below((advisory_ms - mandatory_ms) / 2);
	return t;
}

/* min(2^n * scale, max) */
static uint64_t
doubled(uint64_t scale_ms, unsigned n, uint64_t max_ms)
{
	for (; n > 0 && scale_ms < max_ms; n--)
		scale_ms *= 2;
	return least(scale_ms, max_ms);
}

uint64_t
refresh_attempt_pause_ms(enum aws_trouble trouble, unsigned n)
{
	return below(
		doubled(trouble == AWS_TROUBLE_THROTTLED ? SCALE_THROTTLED_MS
							 : SCALE_MS,
			n, SCALE_MAX_MS) +
		1);
}

uint64_t
refresh_failure_pause_ms(unsigned n)
{
	uint64_t most_ms = doubled(
		REFRESH_PAUSE_MS, n == 0 ? 0 : n - 1, REFRESH_PAUSE_MAX_MS);

	return PAUSE_MIN_MS + below(most_ms - PAUSE_MIN_MS + 1);
}
