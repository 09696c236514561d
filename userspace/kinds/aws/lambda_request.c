/*
 * The request that calls a function. Nothing of the client's goes to AWS beside
 * the event: what it sent is for the function, not for the Lambda API.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/write.h"
#include "kinds/aws/lambda.h"
#include "kinds/aws/lambda_call.h"

#define FIELDS_MAX 8 /* that are signed */

static const char *const invocation_names[] = {
	[AWS_SYNC] = "RequestResponse",
	[AWS_ASYNC] = "Event",
	[AWS_DRY_RUN] = "DryRun",
};

static int
refuse(struct call_refusal *refusal, int status, const char *word,
	const char *sentence)
{
	lambda_refuse(refusal, status, word, "%s", sentence);
	return -1;
}

/* ---- the event */

/* Made once: the request is the same for all attempts. */
static struct slice
event_get(struct lambda_call *c, const struct call_request *r)
{
	const struct lambda_target *t = c->target;
	const struct aws_event_context context = {
		.function_arn = t->arn,
		.account = t->account,
		.region = t->region,
		.multi_value_headers = t->options.multi_value_headers,
	};

	if (t->options.wrap == AWS_EVENT_RAW)
		return r->body;
	if (!c->wrapped) {
		aws_event_wrap((enum aws_event_shape)t->options.wrap, r,
			&context, &c->event);
		c->wrapped = true;
	}
	return (struct slice){ c->event.data, c->event.length };
}

size_t
lambda_event_max(const struct lambda_options *o)
{
	return o->invocation == AWS_ASYNC ? LAMBDA_ASYNC_MAX
					  : LAMBDA_REQUEST_MAX;
}

/* ---- the signature */

static bool
is_same_key(const struct sigv4_key *a, const struct sigv4_key *b)
{
	return a->of == b->of && memcmp(a->day, b->day, sizeof(a->day)) == 0;
}

/* All workers share the key; it is copied so that nobody waits for a
 * signature. */
static int
sign(const struct lambda_credentials *credentials,
	const struct sigv4_request *r, char date[SIGV4_DATE_SIZE],
	struct str *authorization)
{
	struct lambda_signing *s = credentials->signing;
	struct sigv4_key key;
	int rc;

	pthread_mutex_lock(&s->lock);
	key = s->key;
	pthread_mutex_unlock(&s->lock);
	rc = sigv4_sign(&key, r, date, authorization, NULL);
	pthread_mutex_lock(&s->lock);
	if (!is_same_key(&s->key, &key))
		s->key = key;
	pthread_mutex_unlock(&s->lock);
	sigv4_key_forget(&key);
	return rc;
}

struct signed_fields {
	struct sigv4_field list[FIELDS_MAX];
	size_t count;
};

static void
field_add(struct signed_fields *fields, const char *name, const char *value)
{
	fields->list[fields->count++] =
		(struct sigv4_field){ slice_of(name), slice_of(value) };
}

static void
fields_fill(struct signed_fields *fields, const struct lambda_target *t,
	const struct aws_credentials *given)
{
	fields->count = 0;
	field_add(fields, "host", t->authority);
	field_add(fields, "content-type", "application/json");
	field_add(fields, "x-amz-invocation-type",
		invocation_names[t->options.invocation]);
	field_add(fields, "x-amz-log-type",
		t->options.log_tail ? "Tail" : "None");
	if (given->session_token != NULL && *given->session_token != '\0')
		field_add(fields, "x-amz-security-token", given->session_token);
}

/* As Gloo's propagateOriginalRouting has it; not signed. */
static void
original_write(struct http_write *head, const struct call_request *r)
{
	http_write_field(head, slice_of("x-envoy-original-path"), r->target);
	http_write_field(head, slice_of("x-envoy-original-method"), r->method);
}

/* Signed last: nothing of it is touched afterwards. */
static void
head_write(struct lambda_call *c, const struct lambda_credentials *credentials,
	const struct call_request *r, struct slice event,
	struct http_write *head)
{
	const struct lambda_target *t = c->target;
	const struct aws_credentials *given = &credentials->given;
	struct slice query = slice_of(t->query), method = slice_of("POST");
	char date[SIGV4_DATE_SIZE];
	struct signed_fields fields;
	struct str authorization;

	fields_fill(&fields, t, given);
	str_init(&authorization);
	if (sign(credentials,
		    &(struct sigv4_request){
			    .method = method,
			    .path = slice_of(t->path),
			    .query = query,
			    .fields = fields.list,
			    .field_count = fields.count,
			    .body = event,
			    .access_key = slice_of(given->access_key),
			    .secret_key = slice_of(given->secret_key),
			    .region = slice_of(t->region),
			    .service = slice_of(AWS_LAMBDA),
			    .now_ms = r->now_ms,
		    },
		    date, &authorization) != 0)
		head->failed = true;
	if (query.length == 0)
		query.data = NULL;
	http_write_request_line(head, method, slice_of(t->path), query);
	for (size_t i = 0; i < fields.count; i++)
		http_write_field(
			head, fields.list[i].name, fields.list[i].value);
	http_write_field(head, slice_of("x-amz-date"), slice_of(date));
	http_write_field(head, slice_of("authorization"),
		(struct slice){ authorization.data, authorization.length });
	if (t->options.original_routing)
		original_write(head, r);
	str_fini(&authorization);
}

int
lambda_ready(const void *call, const void *credentials,
	struct call_refusal *refusal)
{
	const struct lambda_credentials *with = credentials;
	const struct lambda_call *c = call;

	if (with == NULL)
		return refuse(refusal, 503, "no_credentials",
			"there are no AWS credentials for it; glooctl check "
			"says why");
	/* Nobody has got others since. */
	if (with->serial == c->refused)
		return refuse(refusal, 503, "credentials_refused",
			"AWS refused the credentials, and there are no others "
			"yet");
	return 0;
}

int
lambda_request(void *call, const void *credentials,
	const struct call_request *r, struct http_write *head,
	struct slice *body, struct call_refusal *refusal)
{
	const struct lambda_credentials *with = credentials;
	struct lambda_call *c = call;
	size_t most = lambda_event_max(&c->target->options);

	if (lambda_ready(c, with, refusal) != 0)
		return -1;
	*body = event_get(c, r);
	if (body->length > most) {
		lambda_refuse(refusal, 413, "function_request_too_large",
			"the event is %zu bytes, and a function takes %zu%s",
			body->length, most,
			most == LAMBDA_ASYNC_MAX
				? " where it is called asynchronously"
				: "");
		return -1;
	}
	c->serial = with->serial;
	c->signed_ms = r->now_ms;
	head_write(c, with, r, *body, head);
	return 0;
}
