/*
 * A question to a source of credentials, on the loop: a program, STS, a
 * container's agent, instance metadata. Private to kinds/aws/.
 */
#ifndef KINDS_AWS_QUESTION_H
#define KINDS_AWS_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kinds/aws/credentials.h"
#include "kinds/aws/plan.h"
#include "net/http_client.h"

enum aws_trouble {             /* how soon it makes sense to ask again */
	AWS_TROUBLE_LASTS,     /* until somebody changes something */
	AWS_TROUBLE_PASSES,    /* no answer, 5xx */
	AWS_TROUBLE_THROTTLED, /* asked too often */
};

/* c NULL: problem says why, in one sentence without the source's name. What is
 * in c may be moved out. The question is freed afterwards. */
typedef void aws_answer_f(struct aws_credentials *c, enum aws_trouble trouble,
	const char *problem, void *arg);

struct aws_question {
	/* Gives it up: it is freed, nobody is told. */
	void (*cancel)(struct aws_question *q);
};

static inline void
aws_question_cancel(struct aws_question *q)
{
	if (q != NULL)
		q->cancel(q);
}

/* Who is asked for what. All that is borrowed lasts as long as the question. */
struct aws_asker {
	struct loop *loop;
	struct http_client *http;
	const struct aws_place *place;
	const char *region;
	bool fips, dual_stack; /* which endpoint of STS */
	int64_t *skew_ms; /* STS's clock is ahead of ours; 0 at first */
	aws_answer_f *cb; /* called once, later */
	void *arg;
};

/* A session with instance metadata, kept over questions. Zeros at first. */
struct aws_session {
	char *token;
	uint64_t until_ms; /* monotonic */
};
void aws_session_forget(struct aws_session *s);

/* NULL and err: it cannot be asked, and that lasts. */
struct aws_question *aws_process_ask(
	const struct aws_asker *a, const char *command_line, struct error *err);
struct aws_question *aws_container_ask(const struct aws_asker *a,
	const struct aws_plan *plan, struct error *err);
struct aws_question *aws_instance_ask(const struct aws_asker *a,
	const char *url, struct aws_session *session, struct error *err);
struct aws_question *aws_web_identity_ask(const struct aws_asker *a,
	const struct aws_role *role, const char *token_file, struct error *err);
struct aws_question *aws_role_ask(const struct aws_asker *a,
	const struct aws_role *role, const struct aws_credentials *with,
	struct error *err);

/* Of an answer that came, by its status alone. */
enum aws_trouble aws_status_trouble(int status);
/* Overwrites what came, in the client's memory, when it was read. */
void aws_result_wipe(const struct http_result *result);

#endif
