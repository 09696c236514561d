/*
 * The head of a streamed HTTP answer: what a function that streams puts in
 * front of its body (application/vnd.awslambda.http-integration-response):
 * a JSON object with statusCode, headers and cookies, then eight NUL bytes,
 * both within EVENTSTREAM_PRELUDE_MAX. Fed with the payloads of PayloadChunk
 * one after the other; where they are cut does not matter. Pure.
 */
#ifndef KINDS_AWS_EVENTSTREAM_PRELUDE_H
#define KINDS_AWS_EVENTSTREAM_PRELUDE_H

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "kinds/aws/event.h"

#define EVENTSTREAM_PRELUDE_TYPE                                               \
	"application/vnd.awslambda.http-integration-response"

enum eventstream_prelude_step {
	EVENTSTREAM_PRELUDE_MORE, /* all bytes were taken */
	EVENTSTREAM_PRELUDE_DONE, /* head is set; what is behind *used is body
				   */
	EVENTSTREAM_PRELUDE_BAD,  /* err says what */
};

struct eventstream_prelude {
	struct str json;
	unsigned nuls; /* seen behind it */
};

void eventstream_prelude_init(struct eventstream_prelude *p);
void eventstream_prelude_fini(struct eventstream_prelude *p);
/* *used bytes of in were taken. With DONE head is filled: status (200 if the
 * prelude has none) and fields, an empty body; end it with
 * aws_event_answer_fini. Otherwise head is not touched. Not to be called again
 * after DONE or BAD. A stream that ends before DONE had no whole head: 502. */
enum eventstream_prelude_step eventstream_prelude_read(
	struct eventstream_prelude *p, struct slice in, size_t *used,
	struct aws_event_answer *head, struct error *err);

#endif
