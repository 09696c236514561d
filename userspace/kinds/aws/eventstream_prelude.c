/* The head of a streamed HTTP answer. */
#include "kinds/aws/eventstream_prelude.h"

#include <string.h>

#include "kinds/aws/eventstream.h"

#define NULS 8 /* JSON has none: the first one ends it */

void
eventstream_prelude_init(struct eventstream_prelude *p)
{
	str_init(&p->json);
	p->nuls = 0;
}

void
eventstream_prelude_fini(struct eventstream_prelude *p)
{
	str_fini(&p->json);
}

static int
bad(struct error *err, const char *why)
{
	return error_set(err, ERROR_CONFIG,
		"the head of the function's stream: %s", why);
}

/* What is in front of the first NUL byte, of the bytes at in. */
static int
json_take(struct eventstream_prelude *p, struct slice in, size_t *used,
	struct error *err)
{
	const char *nul = memchr(in.data, '\0', in.length);
	size_t length = nul == NULL ? in.length : (size_t)(nul - in.data);

	if (length > EVENTSTREAM_PRELUDE_MAX - NULS - p->json.length)
		return bad(err, "no eight NUL bytes within 16 KiB");
	str_append(&p->json, in.data, length);
	*used = length;
	return 0;
}

enum eventstream_prelude_step
eventstream_prelude_read(struct eventstream_prelude *p, struct slice in,
	size_t *used, struct aws_event_answer *head, struct error *err)
{
	*used = 0;
	if (in.length > 0 && p->nuls == 0 && json_take(p, in, used, err) != 0)
		return EVENTSTREAM_PRELUDE_BAD;
	for (; *used < in.length && p->nuls < NULS; ++*used, p->nuls++) {
		if (in.data[*used] != '\0') {
			bad(err, "less than eight NUL bytes behind it");
			return EVENTSTREAM_PRELUDE_BAD;
		}
	}
	if (p->nuls < NULS)
		return EVENTSTREAM_PRELUDE_MORE;
	if (aws_event_unwrap_head(
		    (struct slice){ p->json.data, p->json.length }, head,
		    err) != 0)
		return EVENTSTREAM_PRELUDE_BAD;
	return EVENTSTREAM_PRELUDE_DONE;
}
