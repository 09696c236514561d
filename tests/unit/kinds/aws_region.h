/*
 * A region of AWS in the test's hands, and no time but the test's: Lambda with
 * functions, versions and aliases, and STS, below whose http_call_* control's
 * questions stand. Every signature is checked over what was sent; what is asked
 * is written down in region.asked, a line each.
 */
#ifndef TESTS_UNIT_KINDS_AWS_REGION_H
#define TESTS_UNIT_KINDS_AWS_REGION_H

#include "told.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/json.h"
#include "kinds/aws/credentials.h"
#include "kinds/aws/sigv4.h"
#include "net/http_client.h"
#include "tests/unit/net/fake_time.h"

#define REGION_PAGE       50
#define REGION_HEADERS    8
#define REGION_CLOCK_MS   300000 /* a signature may be off by that */
#define REGION_ACCESS_KEY "AKIDEXAMPLE"
#define REGION_SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define REGION_TOKEN      "TOK/EN+="

struct region_function {
	const char *name;
	const char *versions, *aliases; /* separated by spaces; NULL: none */
	int status;       /* of its aliases and of a dry run; 0: they are had */
	const char *word; /* of an error */
};

struct http_call {
	struct http_call *next;
	struct http_events events;
	void *arg;
	struct loop_timer *timer;
	char *method, *url, *body;
	char *headers[REGION_HEADERS];
	size_t header_count;
	struct str answer, head; /* head: "Name: value\n" each */
	int status;
};

static struct {
	const struct region_function *functions;
	size_t count;
	/* Instead of what is asked for; 0: well. */
	int list_status, alias_status, sts_status;
	const char *word, *message; /* of those */
	const char *garbage;        /* the body of lists, status 200 */
	unsigned throttles;         /* so many answers are 429 */
	const char *headers;        /* of these, or NULL */
	bool down, mute;
	int64_t ahead_ms; /* its clock, of ours */
	struct str asked;
	size_t asked_count, unsigned_count;
	uint64_t asked_ms; /* the last time */
	struct http_call *calls;
} region;

static const struct aws_credentials region_credentials = {
	.access_key = (char *)REGION_ACCESS_KEY,
	.secret_key = (char *)REGION_SECRET_KEY,
	.session_token = (char *)REGION_TOKEN,
};

/* ---- what was sent */

/* The value of a field; NULL: it is not there. */
static inline const char *
region_field(const struct http_call *call, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < call->header_count; i++)
		if (strncasecmp(call->headers[i], name, length) == 0 &&
			call->headers[i][length] == ':')
			return call->headers[i] + length + 2;
	return NULL;
}

/* Behind the authority. */
static inline const char *
region_target(const struct http_call *call)
{
	const char *p = strstr(call->url, "://");

	assert_non_null(p);
	return p + 3 + strcspn(p + 3, "/");
}

static inline uint64_t
region_date_ms(const char *date)
{
	struct tm tm = { 0 };
	const char *end = strptime(date, "%Y%m%dT%H%M%SZ", &tm);

	assert_true(end != NULL && *end == '\0');
	return (uint64_t)timegm(&tm) * 1000;
}

/* As AWS does: over the fields that SignedHeaders names, as they came. */
static inline void
region_signature_check(const struct http_call *call)
{
	const char *given = region_field(call, "Authorization");
	const char *list = strstr(given, "SignedHeaders=");
	const char *target = region_target(call);
	const char *authority = strstr(call->url, "://") + 3;
	const char *mark = strchr(target, '?');
	const char *scope = strstr(given, "Credential=");
	struct sigv4_field fields[REGION_HEADERS];
	struct sigv4_key key = { 0 };
	struct str made;
	char date[SIGV4_DATE_SIZE], service[16];
	size_t count = 0;

	assert_non_null(list);
	assert_non_null(scope);
	assert_int_equal(sscanf(scope,
				 "Credential=%*[^/]/%*[^/]/us-east-2/"
				 "%15[^/]/aws4_request",
				 service),
		1);
	for (list += strlen("SignedHeaders="); *list != ','; list++) {
		size_t length = strcspn(list, ";,");
		char *name = xstrndup(list, length);
		const char *value = region_field(call, name);

		if (strcmp(name, "host") == 0) {
			fields[count++] = (struct sigv4_field){ slice_of(
									"host"),
				{ authority, (size_t)(target - authority) } };
		} else if (strcmp(name, "x-amz-date") != 0) {
			assert_non_null(value);
			fields[count++] =
				(struct sigv4_field){ { list, length },
					slice_of(value) };
		}
		free(name);
		list += length;
		if (*list == ',')
			break;
	}
	/* All that is said to AWS is signed. */
	assert_int_equal(count, call->header_count - 1);
	const struct sigv4_request r = {
		.method = slice_of(call->method),
		.path = { target, mark == NULL ? strlen(target)
					       : (size_t)(mark - target) },
		.query = slice_of(mark == NULL ? "" : mark + 1),
		.fields = fields,
		.field_count = count,
		.body = slice_of(call->body),
		.access_key = slice_of(REGION_ACCESS_KEY),
		.secret_key = slice_of(REGION_SECRET_KEY),
		.region = slice_of("us-east-2"),
		.service = slice_of(service),
		.now_ms = region_date_ms(region_field(call, "x-amz-date")),
	};
	str_init(&made);
	assert_int_equal(sigv4_sign(&key, &r, date, &made, NULL), 0);
	assert_string_equal(made.data, given);
	str_fini(&made);
}

/* ---- answers */

static inline void
region_refuse(struct http_call *call, int status, const char *word,
	const char *message)
{
	call->status = status;
	if (word != NULL)
		str_printf(&call->head,
			"x-amzn-errortype: %s:http://internal.amazon.com/"
			"coral/com.amazonaws.lambda/\n",
			word);
	str_puts(&call->answer, "{\"Message\":");
	json_quote(&call->answer, message, strlen(message));
	str_puts(&call->answer, ",\"Type\":\"User\"}");
}

static inline void
region_version_put(struct str *out, const char *name, const char *version)
{
	str_printf(out,
		"{\"FunctionName\":\"%s\",\"FunctionArn\":\"arn:aws:lambda:"
		"us-east-2:123456789012:function:%s:%s\",\"Version\":\"%s\"}",
		name, name, version, version);
}

/* Each word of words, after its own comma. */
static inline void
region_words_put(struct str *out, const char *words,
	void (*put)(struct str *out, const char *name, const char *word),
	const char *name)
{
	char *copy = xstrdup(words == NULL ? "" : words), *rest = copy, *one;

	while ((one = strsep(&rest, " ")) != NULL) {
		if (one[0] == '\0')
			continue;
		str_putc(out, ',');
		put(out, name, one);
	}
	free(copy);
}

/* A page of REGION_PAGE functions, each with its versions. */
static inline void
region_list(struct http_call *call)
{
	const char *marker = strstr(call->url, "Marker=m%2B");
	size_t from = marker == NULL ? 0 : strtoul(marker + 11, NULL, 10);
	size_t to = from + REGION_PAGE;

	if (to > region.count)
		to = region.count;
	call->status = 200;
	if (region.garbage != NULL) {
		str_puts(&call->answer, region.garbage);
		return;
	}
	str_puts(&call->answer, "{\"Functions\":[");
	for (size_t i = from; i < to; i++) {
		if (i > from)
			str_putc(&call->answer, ',');
		region_version_put(
			&call->answer, region.functions[i].name, "$LATEST");
		region_words_put(&call->answer, region.functions[i].versions,
			region_version_put, region.functions[i].name);
	}
	str_puts(&call->answer, "]");
	if (to < region.count)
		str_printf(&call->answer, ",\"NextMarker\":\"m+%zu\"", to);
	str_puts(&call->answer, "}");
}

static inline void
region_alias_put(struct str *out, const char *name, const char *alias)
{
	(void)name;
	str_printf(out, "{\"Name\":\"%s\",\"FunctionVersion\":\"1\"}", alias);
}

/* The function that the path names; NULL: there is none of that name. */
static inline const struct region_function *
region_find(const char *path)
{
	const char *name = path + strlen("/2015-03-31/functions/");
	const char *partial = strstr(name, "function%3A");
	size_t length;

	if (partial != NULL)
		name = partial + strlen("function%3A");
	length = strcspn(name, "/?");
	for (size_t i = 0; i < region.count; i++)
		if (strlen(region.functions[i].name) == length &&
			strncmp(region.functions[i].name, name, length) == 0)
			return &region.functions[i];
	return NULL;
}

static inline void
region_aliases(struct http_call *call)
{
	const struct region_function *f = region_find(region_target(call));

	if (f == NULL) {
		region_refuse(call, 404, "ResourceNotFoundException",
			"Function not found");
		return;
	}
	if (f->status != 0) {
		region_refuse(call, f->status, f->word, "no");
		return;
	}
	call->status = 200;
	str_puts(&call->answer, "{\"Aliases\":[");
	/* The first has a comma before it that JSON does not want. */
	{
		struct str all;

		str_init(&all);
		region_words_put(&all, f->aliases, region_alias_put, f->name);
		str_puts(&call->answer, all.length > 0 ? all.data + 1 : "");
		str_fini(&all);
	}
	str_puts(&call->answer, "]}");
}

static inline void
region_dry_run(struct http_call *call)
{
	const struct region_function *f = region_find(region_target(call));

	assert_string_equal(
		region_field(call, "x-amz-invocation-type"), "DryRun");
	if (f == NULL)
		region_refuse(call, 404, "ResourceNotFoundException",
			"Function not found");
	else if (f->status != 0)
		region_refuse(call, f->status, f->word, "no");
	else
		call->status = 204;
}

static inline void
region_identity(struct http_call *call)
{
	assert_string_equal(
		call->body, "Action=GetCallerIdentity&Version=2011-06-15");
	call->status = 200;
	str_puts(&call->answer,
		"<GetCallerIdentityResponse xmlns=\"https://"
		"sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
		"<Arn>arn:aws:iam::123456789012:user/gateway</Arn>"
		"<UserId>AIDA</UserId><Account>123456789012</Account>"
		"</GetCallerIdentityResult></GetCallerIdentityResponse>");
}

/* True: it is not let in. */
static inline bool
region_guard(struct http_call *call)
{
	uint64_t now = clock_realtime_ms() + (uint64_t)region.ahead_ms;
	int64_t off =
		(int64_t)(region_date_ms(region_field(call, "x-amz-date")) -
			  now);

	if (off > REGION_CLOCK_MS || off < -REGION_CLOCK_MS)
		region_refuse(call, 403, "InvalidSignatureException",
			"Signature expired: "
			"x-amz-security-token:" REGION_TOKEN);
	else if (strstr(region_field(call, "Authorization"),
			 "Credential=" REGION_ACCESS_KEY "/") == NULL)
		region_refuse(call, 403, "UnrecognizedClientException",
			"The security token included in the request is "
			"invalid.");
	else
		return false;
	return true;
}

static inline void
region_answer(struct http_call *call)
{
	const char *target = region_target(call);
	bool lists = strncmp(target, "/2015-03-31/functions?", 22) == 0;
	bool aliases = strstr(target, "/aliases?") != NULL;
	bool sts = strcmp(target, "/") == 0;
	int status = lists     ? region.list_status
		     : aliases ? region.alias_status
		     : sts     ? region.sts_status
			       : 0;
	time_t seconds =
		(time_t)((clock_realtime_ms() + (uint64_t)region.ahead_ms) /
			 1000);
	char date[64];
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
		gmtime_r(&seconds, &tm));
	str_printf(&call->head, "Date: %s\n", date);
	if (region.throttles > 0) {
		region.throttles--;
		if (region.headers != NULL)
			str_puts(&call->head, region.headers);
		region_refuse(
			call, 429, "TooManyRequestsException", "Rate exceeded");
	} else if (region_guard(call)) {
		return;
	} else if (status != 0) {
		region_refuse(call, status, region.word, region.message);
	} else if (lists) {
		region_list(call);
	} else if (aliases) {
		region_aliases(call);
	} else if (sts) {
		region_identity(call);
	} else {
		region_dry_run(call);
	}
}

/* ---- net/http_client.h */

static inline void
region_call_end(struct http_call *call)
{
	struct http_call **at = &region.calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	loop_timer_free(call->timer);
	for (size_t i = 0; i < call->header_count; i++)
		free(call->headers[i]);
	free(call->method);
	free(call->url);
	free(call->body);
	str_fini(&call->answer);
	str_fini(&call->head);
	free(call);
}

static inline void
on_region(void *arg)
{
	struct http_call *call = arg;
	struct http_result result = { 0 };

	if (region.down) {
		result.problem = "https://lambda: connection refused";
	} else {
		region_answer(call);
		result.status = call->status;
	}
	result.body = (struct slice){ call->answer.data, call->answer.length };
	call->events.done(call, &result, call->arg);
	region_call_end(call);
}

struct http_call *
http_call_new(struct http_client *c, const struct http_request *r,
	const struct http_events *events, void *arg)
{
	struct http_call *call = xcalloc(1, sizeof(*call));

	(void)c;
	call->events = *events;
	call->arg = arg;
	call->method = xstrdup(r->method);
	call->url = xstrdup(r->url);
	call->body = xstrndup(
		r->body.data == NULL ? "" : r->body.data, r->body.length);
	for (const char *const *h = r->headers; *h != NULL; h++) {
		assert_true(call->header_count < REGION_HEADERS);
		call->headers[call->header_count++] = xstrdup(*h);
	}
	str_init(&call->answer);
	str_init(&call->head);
	assert_true(r->total_timeout_ms > 0 && r->connect_timeout_ms > 0);
	region_signature_check(call);
	str_printf(&region.asked, "%s %s\n", call->method, region_target(call));
	region.asked_count++;
	region.asked_ms = fake_now_ms;
	call->timer = loop_timer_new(NULL, on_region, call);
	if (!region.mute)
		loop_timer_start(call->timer, 1);
	call->next = region.calls;
	region.calls = call;
	return call;
}

void
http_call_cancel(struct http_call *call)
{
	if (call != NULL)
		region_call_end(call);
}

const char *
http_call_header(const struct http_call *call, const char *name)
{
	static char value[256];
	size_t length = strlen(name);

	for (const char *p = call->head.data; *p != '\0';
		p = strchr(p, '\n') + 1) {
		if (strncasecmp(p, name, length) != 0 || p[length] != ':')
			continue;
		snprintf(value, sizeof(value), "%.*s",
			(int)strcspn(p + length + 2, "\n"), p + length + 2);
		return value;
	}
	return NULL;
}

/* That was asked since it was looked at last, and no more. */
static inline void
asked_is(const char *want)
{
	assert_string_equal(region.asked.data, want);
	str_clear(&region.asked);
}

/* For each test. */
static inline int
region_begin(void **state)
{
	(void)state;
	memset(&region, 0, sizeof(region));
	str_init(&region.asked);
	str_clear(&told);
	return 0;
}

static inline int
region_end(void **state)
{
	(void)state;
	assert_null(region.calls);
	assert_null(fake_timers);
	str_fini(&region.asked);
	return 0;
}

#endif
