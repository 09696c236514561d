/* Questions of control to an AWS service. */
#include "kinds/aws/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/aws/lambda_call.h"
#include "kinds/aws/sigv4.h"
#include "kinds/aws/skew.h"
#include "net/http_client.h"

#define CONNECT_MS        5000
#define ASK_MS            10000
#define BODY_MAX          (8u << 20) /* 50 functions with all that is known of each */
#define MESSAGE_MAX       240        /* of what a service says */
#define RETRY_AFTER_MAX_S 3600
#define HEADERS_MAX       8
#define FORM              "application/x-www-form-urlencoded"

struct aws_api {
	struct http_client *http;
	char *service, *region, *origin, *host;
	const struct aws_credentials *credentials;
	struct sigv4_key key;
	int64_t skew_ms; /* its clock is ahead of ours by that */
	uint64_t asked;
};

struct aws_api_call {
	struct aws_api *api;
	struct aws_api_question question;
	struct http_call *http;
	bool again;
	void (*done)(const struct aws_api_reply *reply, void *arg);
	void *arg;
};

/* ---- where */

struct aws_api *
aws_api_new(const struct aws_api_options *o)
{
	struct aws_api *a = xcalloc(1, sizeof(*a));

	a->http = o->http;
	a->service = xstrdup(o->service);
	a->region = xstrdup(o->region);
	a->host = xstrdup(o->authority);
	a->origin = xasprintf("http%s://%s", o->tls ? "s" : "", o->authority);
	a->credentials = o->credentials;
	return a;
}

void
aws_api_free(struct aws_api *a)
{
	if (a == NULL)
		return;
	sigv4_key_forget(&a->key);
	free(a->service);
	free(a->region);
	free(a->origin);
	free(a->host);
	free(a);
}

uint64_t
aws_api_asked(const struct aws_api *a)
{
	return a->asked;
}

/* ---- asking */

static size_t
fields_list(const struct aws_api_call *call, struct sigv4_field *to)
{
	const struct aws_api_question *q = &call->question;
	const char *token = call->api->credentials->session_token;
	size_t count = 0;

	to[count++] = (struct sigv4_field){ slice_of("host"),
		slice_of(call->api->host) };
	if (q->body != NULL)
		to[count++] = (struct sigv4_field){ slice_of("content-type"),
			slice_of(FORM) };
	if (q->invocation != NULL)
		to[count++] =
			(struct sigv4_field){ slice_of("x-amz-invocation-type"),
				slice_of(q->invocation) };
	if (token != NULL && token[0] != '\0')
		to[count++] =
			(struct sigv4_field){ slice_of("x-amz-security-token"),
				slice_of(token) };
	return count;
}

static int
question_sign(struct aws_api_call *call, const struct sigv4_field *fields,
	size_t count, char date[SIGV4_DATE_SIZE], struct str *authorization,
	struct error *err)
{
	const struct aws_api_question *q = &call->question;
	struct aws_api *a = call->api;
	const struct sigv4_request r = {
		.method = slice_of(q->method),
		.path = slice_of(q->path),
		.query = slice_of(q->query == NULL ? "" : q->query),
		.fields = fields,
		.field_count = count,
		.body = slice_of(q->body == NULL ? "" : q->body),
		.access_key = slice_of(a->credentials->access_key),
		.secret_key = slice_of(a->credentials->secret_key),
		.region = slice_of(a->region),
		.service = slice_of(a->service),
		.now_ms = clock_realtime_ms() + (uint64_t)a->skew_ms,
	};

	return sigv4_sign(&a->key, &r, date, authorization, err);
}

static void on_done(
	struct http_call *http, const struct http_result *result, void *arg);

/* A line of a head, whose bytes are overwritten when it was sent. */
static char *
line_make(struct slice name, struct slice value)
{
	return xasprintf("%.*s: %.*s", (int)name.length, name.data,
		(int)value.length, value.data);
}

static void
call_send(struct aws_api_call *call)
{
	static const struct http_events events = { .done = on_done };
	const struct aws_api_question *q = &call->question;
	struct sigv4_field fields[HEADERS_MAX];
	size_t signed_count = fields_list(call, fields), count = signed_count;
	char *lines[HEADERS_MAX + 1] = { NULL };
	char date[SIGV4_DATE_SIZE] = "", *url;
	struct str authorization;

	str_init(&authorization);
	/* Few fields, all of them ours: nothing can be wrong with them. */
	(void)question_sign(
		call, fields, signed_count, date, &authorization, NULL);
	fields[count++] =
		(struct sigv4_field){ slice_of("x-amz-date"), slice_of(date) };
	fields[count++] = (struct sigv4_field){ slice_of("Authorization"),
		{ authorization.data, authorization.length } };
	for (size_t i = 0; i < count; i++) /* Host is the client's to say */
		lines[i] = line_make(fields[i].name, fields[i].value);
	url = xasprintf("%s%s%s%s", call->api->origin, q->path,
		q->query == NULL || q->query[0] == '\0' ? "" : "?",
		q->query == NULL ? "" : q->query);
	const struct http_request r = {
		.method = q->method,
		.url = url,
		.headers = (const char *const *)lines + 1,
		.body = slice_of(q->body == NULL ? "" : q->body),
		.connect_timeout_ms = CONNECT_MS,
		.total_timeout_ms = ASK_MS,
		.body_max = BODY_MAX,
	};
	call->api->asked++;
	call->http = http_call_new(call->api->http, &r, &events, call);
	for (size_t i = 0; i < count; i++)
		mem_free_wiped(lines[i]);
	str_fini_wiped(&authorization);
	free(url);
}

static bool
credentials_are_there(const struct aws_api *a)
{
	return a->credentials->access_key != NULL;
}

struct aws_api_call *
aws_api_ask(struct aws_api *a, const struct aws_api_question *q,
	void (*done)(const struct aws_api_reply *reply, void *arg), void *arg)
{
	struct aws_api_call *call;

	if (!credentials_are_there(a))
		return NULL;
	call = xcalloc(1, sizeof(*call));
	*call = (struct aws_api_call){
		.api = a,
		.question = *q,
		.done = done,
		.arg = arg,
	};
	call_send(call);
	return call;
}

void
aws_api_cancel(struct aws_api_call *call)
{
	if (call == NULL)
		return;
	http_call_cancel(call->http);
	free(call);
}

/* ---- what was answered */

struct told {                       /* of an error */
	char word[LAMBDA_TYPE_MAX]; /* "AccessDeniedException"; "": none */
	char message[MESSAGE_MAX];  /* "": none, or not to be shown */
};

/* Where a signature is not taken the message may have in it all that was
 * signed, a token too. */
static bool
message_may_be_shown(struct slice text)
{
	static const char *const signs[] = { "AWS4", "ecurity-token",
		"ecurity-Token" };

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (memmem(text.data, text.length, signs[i],
			    strlen(signs[i])) != NULL)
			return false;
	return true;
}

static void
message_set(struct told *t, struct slice text)
{
	if (!message_may_be_shown(text))
		return;
	snprintf(t->message, sizeof(t->message), "%.*s", (int)text.length,
		text.data);
	text_defuse(t->message);
}

struct slice
aws_xml_find(struct slice xml, const char *tag)
{
	char *open = xasprintf("<%s>", tag), *close = xasprintf("</%s>", tag);
	const char *end = xml.data + xml.length;
	const char *from = memmem(xml.data, xml.length, open, strlen(open));
	const char *to = NULL;
	struct slice found = { "", 0 };

	if (from != NULL) {
		from += strlen(open);
		to = memmem(from, (size_t)(end - from), close, strlen(close));
	}
	if (to != NULL)
		found = (struct slice){ from, (size_t)(to - from) };
	free(open);
	free(close);
	return found;
}

static void
json_told(struct told *t, struct slice body)
{
	static const char *const words[] = { "__type", "code", "Code" };
	static const char *const messages[] = { "message", "Message" };
	struct doc *d = json_doc_read(body.data, body.length, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(words) && t->word[0] == '\0'; i++)
		lambda_type_copy(slice_of(doc_get_text(d, words[i])), t->word);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		if (t->message[0] == '\0')
			message_set(t, slice_of(doc_get_text(d, messages[i])));
	doc_free(d);
}

static void
told_read(const struct http_call *http, struct slice body, struct told *t)
{
	const char *type = http_call_header(http, "x-amzn-errortype");

	*t = (struct told){ "", "" };
	if (type != NULL)
		lambda_type_copy(slice_of(type), t->word);
	if (body.length > 0 && body.data[0] == '<') {
		if (t->word[0] == '\0')
			lambda_type_copy(aws_xml_find(body, "Code"), t->word);
		message_set(t, aws_xml_find(body, "Message"));
	} else if (body.length > 0) {
		json_told(t, body);
	}
}

static bool
word_is_among(const char *word, const char *const *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(word, all[i], strlen(all[i])) == 0)
			return true;
	return false;
}

static enum aws_api_trouble
trouble_of(int status, const char *word)
{
	static const char *const throttled[] = { "TooManyRequests", "Throttl",
		"RequestLimitExceeded", "SlowDown" };
	/* With and without "Exception". */
	static const char *const refused[] = { "ExpiredToken",
		"UnrecognizedClient", "InvalidClientTokenId",
		"InvalidSignature", "SignatureDoesNotMatch",
		"IncompleteSignature", "MissingAuthenticationToken",
		"RequestTimeTooSkewed", "RequestExpired", "InvalidAccessKeyId",
		"InvalidToken" };

	if (status >= 200 && status < 300)
		return AWS_API_FINE;
	if (status == 429 ||
		word_is_among(word, throttled, ARRAY_SIZE(throttled)))
		return AWS_API_THROTTLED;
	if (word_is_among(word, refused, ARRAY_SIZE(refused)))
		return AWS_API_REFUSED;
	if (status == 403 || strncmp(word, "AccessDenied", 12) == 0)
		return AWS_API_FORBIDDEN;
	if (status == 404)
		return AWS_API_MISSING;
	return status >= 500 ? AWS_API_FAILED : AWS_API_UNUSABLE;
}

static uint32_t
retry_after_read(const char *text)
{
	unsigned long s;

	if (text == NULL || text[0] == '\0' || strlen(text) > 6 ||
		text[strspn(text, "0123456789")] != '\0')
		return 0;
	s = strtoul(text, NULL, 10);
	return (uint32_t)(s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : s);
}

static void
why_put(const struct aws_api *a, int status, const struct told *t,
	enum aws_api_trouble trouble, struct str *why)
{
	str_printf(why, "%s answered %d", a->origin, status);
	if (t->word[0] != '\0')
		str_printf(why, " %s", t->word);
	if (trouble != AWS_API_REFUSED && t->message[0] != '\0')
		str_printf(why, ": %s", t->message);
}

static void
reply_read(const struct aws_api_call *call, const struct http_call *http,
	const struct http_result *result, struct aws_api_reply *reply,
	struct str *why)
{
	struct told t;

	*reply = (struct aws_api_reply){ .body = result->body };
	if (result->problem != NULL || result->status == 0) {
		reply->trouble = AWS_API_UNREACHED;
		str_puts(why, result->problem == NULL ? "no answer came"
						      : result->problem);
		return;
	}
	reply->trouble = trouble_of(result->status, "");
	if (reply->trouble == AWS_API_FINE)
		return;
	told_read(http, result->body, &t);
	reply->trouble = trouble_of(result->status, t.word);
	reply->retry_after_s =
		retry_after_read(http_call_header(http, "Retry-After"));
	why_put(call->api, result->status, &t, reply->trouble, why);
}

static void
on_done(struct http_call *http, const struct http_result *result, void *arg)
{
	struct aws_api_call *call = arg, over = *call;
	struct aws_api_reply reply;
	struct str why;

	str_init(&why);
	reply_read(call, http, result, &reply, &why);
	reply.why = why.data;
	if (reply.trouble == AWS_API_REFUSED && !call->again &&
		credentials_are_there(call->api) &&
		aws_skew_find(
			http_call_header(http, "Date"), &call->api->skew_ms)) {
		call->again = true;
		call_send(call);
	} else {
		free(call);
		over.done(&reply, over.arg);
	}
	str_fini(&why);
}
