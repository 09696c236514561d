/*
 * A client's request as the event that a function is given
 * (docs.aws.amazon.com: "Lambda functions as targets" of Elastic Load
 * Balancing; "Lambda proxy integrations" of API Gateway, REST and HTTP;
 * "Invoking Lambda function URLs").
 *
 * Gloo's own shape differs from all of them. It is kept as Gloo has it where
 * AWS has nothing to say (its names, queryString, multiValueHeaders with only
 * what comes more than once, body only if there is one), and is AWS's where
 * Gloo loses something: Host is "host" and not ":authority", no other names
 * with a colon; "+" in a query is a space; a body that is no text is Base64 and
 * isBase64Encoded says so.
 */
#include "kinds/aws/event.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/json.h"
#include "kinds/aws/event_pairs.h"
#include "kinds/aws/event_text.h"

#define NUMBER_MAX  21   /* digits of 2^64-1, and NUL */
#define BESIDE_BODY 4096 /* usual length of the rest of an event */

struct wrap {
	enum aws_event_shape shape;
	const struct call_request *r;
	const struct aws_event_context *context;
	struct event_pairs fields, query;
	struct str staged_path;
	char client[ADDR_TEXT_MAX], length[NUMBER_MAX];
	bool text; /* the body is handed on as it is, not in Base64 */
	struct str *out;
};

static const char *
text_of(const char *text)
{
	return text == NULL ? "" : text;
}

/* ---- members */

static void
put_string(struct wrap *w, struct slice text)
{
	json_quote(w->out, text.data, text.length);
}

/* Behind what came before, which ends with a member or with "{". */
static void
put_key(struct wrap *w, const char *key)
{
	if (w->out->data[w->out->length - 1] != '{')
		str_putc(w->out, ',');
	put_string(w, slice_of(key));
	str_putc(w->out, ':');
}

static void
put_slice(struct wrap *w, const char *key, struct slice value)
{
	put_key(w, key);
	put_string(w, value);
}

static void
put_text(struct wrap *w, const char *key, const char *value)
{
	put_slice(w, key, slice_of(value));
}

static void
put_nulls(struct wrap *w, const char *const *keys)
{
	for (; *keys != NULL; keys++) {
		put_key(w, *keys);
		str_puts(w->out, "null");
	}
}

static void
put_pairs(struct wrap *w, const char *key, struct event_pairs *pairs,
	enum event_pairs_form form)
{
	put_key(w, key);
	event_pairs_put(pairs, form, w->out);
}

static void
put_open(struct wrap *w, const char *key)
{
	put_key(w, key);
	str_putc(w->out, '{');
}

static void
put_close(struct wrap *w)
{
	str_putc(w->out, '}');
}

/* ---- what the request says */

/* Part of "arn:aws:lambda:us-east-1:123456789012:function:name"; 0: "arn". */
static struct slice
arn_part(const char *arn, unsigned part)
{
	const char *p = text_of(arn);

	for (; part > 0; part--) {
		p = strchr(p, ':');
		if (p == NULL)
			return (struct slice){ "", 0 };
		p++;
	}
	return (struct slice){ p, strcspn(p, ":") };
}

/* What is said, else what the function's ARN says, else otherwise. */
static struct slice
said_or_arn(const struct wrap *w, const char *said, unsigned part,
	const char *otherwise)
{
	struct slice s = slice_of(text_of(said));

	if (s.length == 0)
		s = arn_part(w->context->function_arn, part);
	return s.length == 0 ? slice_of(otherwise) : s;
}

static struct slice
account(const struct wrap *w, const char *otherwise)
{
	return said_or_arn(w, w->context->account, 4, otherwise);
}

static struct slice
authority(const struct wrap *w)
{
	struct slice s = slice_of(text_of(w->context->domain));

	return s.length == 0 ? w->r->host : s;
}

/* Its host and its port (empty: not said). */
static void
authority_split(struct slice s, struct slice *host, struct slice *port)
{
	size_t at = s.length;

	while (at > 0 && s.data[at - 1] >= '0' && s.data[at - 1] <= '9')
		at--;
	*host = s;
	*port = (struct slice){ "", 0 };
	if (at == 0 || s.data[at - 1] != ':')
		return;
	*port = (struct slice){ s.data + at, s.length - at };
	host->length = at - 1;
}

static struct slice
stage(const struct wrap *w)
{
	const char *text = text_of(w->context->stage);

	return slice_of(*text == '\0' ? "$default" : text);
}

/* A stage that has a name is in front of the path. */
static void
stage_path(struct wrap *w)
{
	const char *name = text_of(w->context->stage);

	str_init(&w->staged_path);
	if (*name != '\0' && strcmp(name, "$default") != 0) {
		str_putc(&w->staged_path, '/');
		str_puts(&w->staged_path, name);
	}
	str_append(&w->staged_path, w->r->path.data, w->r->path.length);
}

static struct slice
staged_path(const struct wrap *w)
{
	return (struct slice){ w->staged_path.data, w->staged_path.length };
}

/* "12/Mar/2020:19:03:58 +0000", whatever the locale. */
static void
put_time(struct wrap *w, const char *key)
{
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(w->r->now_ms / 1000);
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	put_key(w, key);
	str_printf(w->out, "\"%02d/%s/%04d:%02d:%02d:%02d +0000\"", tm.tm_mday,
		months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
}

static void
put_epoch(struct wrap *w, const char *key)
{
	put_key(w, key);
	str_put_number(w->out, w->r->now_ms);
}

static void
put_request_id(struct wrap *w, const char *key)
{
	put_text(w, key, text_of(w->r->request_id));
}

/* ---- fields */

static void
add_if_absent(struct wrap *w, const char *name, struct slice value)
{
	if (event_pairs_find(&w->fields, name).data == NULL)
		event_pairs_add(&w->fields, slice_of(name), value);
}

/* Those of the request and those that each of AWS's front ends adds, spelled as
 * REST APIs do; the others have all names in lower case. */
static void
fields_collect(struct wrap *w)
{
	bool cookies_apart = w->shape == AWS_EVENT_API_GATEWAY_V2;
	struct slice host, port;

	for (size_t i = 0; i < w->r->field_count; i++) {
		const struct call_field *f = &w->r->fields[i];

		if (cookies_apart &&
			slice_equal_nocase(f->name, slice_of("cookie")))
			continue;
		event_pairs_add(&w->fields, f->name, f->value);
	}
	if (w->r->host.length > 0)
		add_if_absent(w, "Host", w->r->host);
	if (w->r->body.length > 0)
		add_if_absent(w, "Content-Length", slice_of(w->length));
	authority_split(w->r->host, &host, &port);
	add_if_absent(w, "X-Forwarded-For", slice_of(w->client));
	add_if_absent(w, "X-Forwarded-Port",
		port.length > 0 ? port : slice_of(w->r->tls ? "443" : "80"));
	add_if_absent(
		w, "X-Forwarded-Proto", slice_of(w->r->tls ? "https" : "http"));
}

/* Each of "a=1; b=2" by itself. */
static void
put_cookie_list(struct wrap *w, struct slice value, const char **before)
{
	const char *p = value.data, *end = p + value.length;

	while (p < end) {
		const char *stop = memchr(p, ';', (size_t)(end - p));
		const char *last = stop == NULL ? end : stop;

		stop = last;
		while (p < last && (*p == ' ' || *p == '\t'))
			p++;
		while (last > p && (last[-1] == ' ' || last[-1] == '\t'))
			last--;
		if (last > p) {
			str_puts(w->out, *before);
			put_string(w, (struct slice){ p, (size_t)(last - p) });
			*before = ",";
		}
		p = stop + (stop < end);
	}
}

static void
put_cookies(struct wrap *w)
{
	size_t begin = w->out->length;
	const char *before = "";

	put_key(w, "cookies");
	str_putc(w->out, '[');
	for (size_t i = 0; i < w->r->field_count; i++) {
		const struct call_field *f = &w->r->fields[i];

		if (f->value.length > 0 &&
			slice_equal_nocase(f->name, slice_of("cookie")))
			put_cookie_list(w, f->value, &before);
	}
	str_putc(w->out, ']');
	if (*before == '\0') { /* without cookies there is no list */
		w->out->length = begin;
		w->out->data[begin] = '\0';
	}
}

/* ---- the body */

static void
put_body(struct wrap *w)
{
	put_key(w, "body");
	if (w->text) {
		put_string(w, w->r->body);
		return;
	}
	str_putc(w->out, '"');
	base64_encode(w->r->body.data, w->r->body.length, w->out);
	str_putc(w->out, '"');
}

static void
put_coding(struct wrap *w)
{
	put_key(w, "isBase64Encoded");
	str_puts(w->out, w->text ? "false" : "true");
}

/* ---- the shapes, each within its braces */

static void
put_gloo(struct wrap *w)
{
	struct slice query = w->r->query;

	if (query.data == NULL)
		query = (struct slice){ "", 0 };
	put_pairs(w, "headers", &w->fields, EVENT_PAIRS_LAST);
	put_pairs(w, "multiValueHeaders", &w->fields, EVENT_PAIRS_SEVERAL);
	put_slice(w, "httpMethod", w->r->method);
	put_slice(w, "path", w->r->path);
	put_slice(w, "queryString", query);
	put_pairs(w, "queryStringParameters", &w->query, EVENT_PAIRS_LAST);
	put_pairs(w, "multiValueQueryStringParameters", &w->query,
		EVENT_PAIRS_SEVERAL);
	if (w->r->body.length == 0)
		return;
	put_body(w);
	if (!w->text)
		put_coding(w);
}

/* There is no target group; the name of one says so. */
static void
put_alb_context(struct wrap *w)
{
	struct slice partition = said_or_arn(w, "", 1, "aws");
	struct slice region = said_or_arn(w, w->context->region, 3, "");
	struct slice owner = account(w, "");
	struct str arn;

	str_init(&arn);
	str_puts(&arn, "arn:");
	str_append(&arn, partition.data, partition.length);
	str_puts(&arn, ":elasticloadbalancing:");
	str_append(&arn, region.data, region.length);
	str_putc(&arn, ':');
	str_append(&arn, owner.data, owner.length);
	str_puts(&arn, ":targetgroup/gloo-gateway/0000000000000000");
	put_open(w, "requestContext");
	put_open(w, "elb");
	put_text(w, "targetGroupArn", arn.data);
	put_close(w);
	put_close(w);
	str_fini(&arn);
}

static void
put_alb(struct wrap *w)
{
	bool multi = w->context->multi_value_headers;
	enum event_pairs_form form =
		multi ? EVENT_PAIRS_LISTS : EVENT_PAIRS_LAST;

	put_alb_context(w);
	put_slice(w, "httpMethod", w->r->method);
	put_slice(w, "path", w->r->path);
	put_pairs(w,
		multi ? "multiValueQueryStringParameters"
		      : "queryStringParameters",
		&w->query, form);
	put_pairs(w, multi ? "multiValueHeaders" : "headers", &w->fields, form);
	put_body(w);
	put_coding(w);
}

/* Both contexts of API Gateway say whose API it is in the same words. */
static void
put_api(struct wrap *w)
{
	struct slice domain, port, prefix;
	const char *label;

	authority_split(authority(w), &domain, &port);
	prefix = domain;
	put_text(w, "apiId", text_of(w->context->api_id));
	put_slice(w, "domainName", domain);
	label = domain.length == 0 ? NULL
				   : memchr(domain.data, '.', domain.length);
	if (label != NULL)
		prefix.length = (size_t)(label - domain.data);
	put_slice(w, "domainPrefix", prefix);
	put_slice(w, "stage", stage(w));
}

/* Java handlers take a requestContext without identity for broken. */
static void
put_identity(struct wrap *w)
{
	static const char *const unknown[] = { "accessKey", "accountId",
		"apiKey", "apiKeyId", "caller", "clientCert",
		"cognitoAuthenticationProvider", "cognitoAuthenticationType",
		"cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId",
		"user", "userArn", NULL };
	struct slice agent = event_pairs_find(&w->fields, "user-agent");

	put_open(w, "identity");
	put_nulls(w, unknown);
	put_text(w, "sourceIp", w->client);
	if (agent.data == NULL)
		put_nulls(w, (const char *[]){ "userAgent", NULL });
	else
		put_slice(w, "userAgent", agent);
	put_close(w);
}

static void
put_v1_context(struct wrap *w, const char *resource)
{
	put_open(w, "requestContext");
	put_slice(w, "accountId", account(w, ""));
	put_api(w);
	put_request_id(w, "extendedRequestId");
	put_slice(w, "httpMethod", w->r->method);
	put_identity(w);
	put_slice(w, "path", staged_path(w));
	put_text(w, "protocol", "HTTP/1.1");
	put_request_id(w, "requestId");
	put_time(w, "requestTime");
	put_epoch(w, "requestTimeEpoch");
	put_nulls(w, (const char *[]){ "resourceId", NULL });
	put_text(w, "resourcePath", resource);
	put_close(w);
}

/* The route is the one of a proxy resource: what is behind "/" is its part. */
static void
put_v1_path(struct wrap *w, bool root)
{
	if (root) {
		put_nulls(w, (const char *[]){ "pathParameters", NULL });
		return;
	}
	put_open(w, "pathParameters");
	put_slice(w, "proxy",
		(struct slice){ w->r->path.data + 1, w->r->path.length - 1 });
	put_close(w);
}

static void
put_v1(struct wrap *w)
{
	static const char *const query[] = { "queryStringParameters",
		"multiValueQueryStringParameters", NULL };
	bool root = w->r->path.length < 2;

	put_text(w, "version", "1.0");
	put_text(w, "resource", root ? "/" : "/{proxy+}");
	put_slice(w, "path", w->r->path);
	put_slice(w, "httpMethod", w->r->method);
	put_pairs(w, "headers", &w->fields, EVENT_PAIRS_LAST);
	put_pairs(w, "multiValueHeaders", &w->fields, EVENT_PAIRS_LISTS);
	if (w->query.count == 0) {
		put_nulls(w, query);
	} else {
		put_pairs(w, query[0], &w->query, EVENT_PAIRS_LAST);
		put_pairs(w, query[1], &w->query, EVENT_PAIRS_LISTS);
	}
	put_v1_context(w, root ? "/" : "/{proxy+}");
	put_v1_path(w, root);
	put_nulls(w, (const char *[]){ "stageVariables", NULL });
	if (w->r->body.length == 0)
		put_nulls(w, (const char *[]){ "body", NULL });
	else
		put_body(w);
	put_coding(w);
}

static void
put_v2_context(struct wrap *w)
{
	struct slice agent = event_pairs_find(&w->fields, "user-agent");

	if (agent.data == NULL)
		agent = (struct slice){ "", 0 };
	put_open(w, "requestContext");
	put_slice(w, "accountId", account(w, "anonymous"));
	put_api(w);
	put_open(w, "http");
	put_slice(w, "method", w->r->method);
	put_slice(w, "path", staged_path(w));
	put_text(w, "protocol", "HTTP/1.1");
	put_text(w, "sourceIp", w->client);
	put_slice(w, "userAgent", agent);
	put_close(w);
	put_request_id(w, "requestId");
	put_text(w, "routeKey", "$default");
	put_time(w, "time");
	put_epoch(w, "timeEpoch");
	put_close(w);
}

/* What is not there has no member: no cookies, no parameters, no body. */
static void
put_v2(struct wrap *w)
{
	struct slice query = w->r->query;

	if (query.data == NULL)
		query = (struct slice){ "", 0 };
	put_text(w, "version", "2.0");
	put_text(w, "routeKey", "$default");
	put_slice(w, "rawPath", staged_path(w));
	put_slice(w, "rawQueryString", query);
	put_cookies(w);
	put_pairs(w, "headers", &w->fields, EVENT_PAIRS_JOINED);
	if (w->query.count > 0)
		put_pairs(w, "queryStringParameters", &w->query,
			EVENT_PAIRS_JOINED);
	put_v2_context(w);
	if (w->r->body.length > 0)
		put_body(w);
	put_coding(w);
}

void
aws_event_wrap(enum aws_event_shape shape, const struct call_request *r,
	const struct aws_event_context *context, struct str *out)
{
	struct wrap w = {
		.shape = shape, .r = r, .context = context, .out = out
	};

	if (shape == AWS_EVENT_RAW) {
		str_append(out, r->body.data, r->body.length);
		return;
	}
	addr_format_ip(&r->client, w.client);
	snprintf(w.length, sizeof(w.length), "%zu", r->body.length);
	event_pairs_init(&w.fields);
	event_pairs_init(&w.query);
	w.fields.nocase = true;
	w.fields.lower = shape != AWS_EVENT_API_GATEWAY_V1;
	fields_collect(&w);
	w.text = event_text_is(shape,
		event_pairs_find(&w.fields, "content-type"),
		event_pairs_find(&w.fields, "content-encoding"), r->body);
	stage_path(&w);
	event_pairs_add_query(&w.query, r->query, shape != AWS_EVENT_ALB);
	str_reserve(
		out, BESIDE_BODY + (w.text ? json_quoted_length(r->body.data,
						     r->body.length)
					   : r->body.length / 3 * 4 + 4));
	str_putc(out, '{');
	if (shape == AWS_EVENT_GLOO)
		put_gloo(&w);
	else if (shape == AWS_EVENT_ALB)
		put_alb(&w);
	else if (shape == AWS_EVENT_API_GATEWAY_V1)
		put_v1(&w);
	else
		put_v2(&w);
	str_putc(out, '}');
	event_pairs_fini(&w.fields);
	event_pairs_fini(&w.query);
	str_fini(&w.staged_path);
}
