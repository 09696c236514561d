/*
 * Credentials of a container's agent: of a task of ECS by
 * AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, of a pod of EKS and others by
 * AWS_CONTAINER_CREDENTIALS_FULL_URI (AWS SDKs and Tools Reference Guide,
 * "Container credential provider").
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "kinds/aws/document.h"
#include "kinds/aws/question.h"
#include "kinds/aws/url.h"

#define RELATIVE   "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL       "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN      "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define AGENT      "http://169.254.170.2"

#define TIMEOUT_MS 2000 /* botocore's */
#define BODY_MAX   (64u << 10)
#define CODE_MAX   64

/* ---- plan */

/* Who may be asked without TLS: what is on this host. */
static bool
is_near(const struct aws_url *u)
{
	static const char *const agents[] = { "169.254.170.2", "169.254.170.23",
		"fd00:ec2::23" };
	char *host = xstrndup(u->host.data, u->host.length);
	bool near = strcasecmp(host, "localhost") == 0;
	struct addr addr, agent;

	if (addr_parse_ip(host, 0, &addr) == 0) {
		near = addr_is_loopback(&addr);
		for (size_t i = 0; i < ARRAY_SIZE(agents); i++)
			near |= addr_parse_ip(agents[i], 0, &agent) == 0 &&
				addr_equal(&addr, &agent);
	}
	free(host);
	return near;
}

static int
url_check(const char *url, const char *variable, struct error *err)
{
	struct aws_url u;

	if (aws_url_read(url, &u, err) != 0)
		return error_prefix(err, "%s", variable);
	if (!u.tls && !is_near(&u))
		return error_set(err, ERROR_CONFIG,
			"%s is http:// to another host than this one, "
			"169.254.170.2, 169.254.170.23 and [fd00:ec2::23]: "
			"credentials would cross the network in the clear; use "
			"https://",
			variable);
	return 0;
}

/* It becomes a field: nothing that ends one. */
static int
token_check(const char *token, struct error *err)
{
	for (const char *p = token; *p != '\0'; p++)
		if (!isprint((unsigned char)*p))
			return error_set(err, ERROR_CONFIG,
				TOKEN " has a character that no token has "
				      "(CR, LF or another one)");
	return 0;
}

static int
token_plan(const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	const char *file = aws_environment_get(place, TOKEN_FILE);
	const char *token = aws_environment_get(place, TOKEN);

	if (file != NULL) {
		p->token_file = xstrdup(file);
		return 0;
	}
	if (token == NULL)
		return 0;
	if (token_check(token, err) != 0)
		return -1;
	p->token = xstrdup(token);
	return 0;
}

int
aws_container_plan(
	const struct aws_place *place, struct aws_plan *p, struct error *err)
{
	const char *relative = aws_environment_get(place, RELATIVE);
	const char *full = aws_environment_get(place, FULL);
	const char *variable = relative != NULL ? RELATIVE : FULL;

	if (relative == NULL && full == NULL)
		return 0;
	if (relative != NULL && relative[0] != '/')
		return error_set(err, ERROR_CONFIG,
			RELATIVE " does not begin with \"/\"");
	p->url = relative != NULL ? xasprintf(AGENT "%s", relative)
				  : xstrdup(full);
	if (url_check(p->url, variable, err) != 0 ||
		token_plan(place, p, err) != 0)
		return -1;
	p->origin = AWS_ORIGIN_CONTAINER;
	p->source = xasprintf("the container's agent (%s)", variable);
	return 1;
}

/* ---- question */

struct container {
	struct aws_question question; /* the first */
	aws_answer_f *cb;
	void *arg;
	struct http_call *call;
};

/* "403 AccessDeniedException": an agent says a code and a message, of which
 * only the code is a word. */
static void
refusal_say(const struct http_result *result, struct str *out)
{
	struct doc *d =
		json_doc_read(result->body.data, result->body.length, NULL);
	const char *code = doc_get_text(d, "code");
	size_t length = strlen(code);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)code[i]))
			length = 0;
	str_printf(out, "it answers %d", result->status);
	if (length > 0 && length <= CODE_MAX)
		str_printf(out, " %s", code);
	str_puts(out, result->status == 401 || result->status == 403
			      ? ": look at the role of the task or pod, and "
				"at " TOKEN_FILE
			      : "");
	doc_free_wiped(d);
}

static void
answer_read(struct container *c, const struct http_result *result)
{
	struct aws_credentials found = { 0 };
	struct error err = ERROR_INIT;
	struct str problem;

	str_init(&problem);
	if (result->problem != NULL) {
		c->cb(NULL, AWS_TROUBLE_PASSES, result->problem, c->arg);
	} else if (result->status != 200) {
		refusal_say(result, &problem);
		c->cb(NULL, aws_status_trouble(result->status), problem.data,
			c->arg);
	} else if (aws_document_read(AWS_DOCUMENT_CONTAINER, result->body,
			   &found, &err) != 0) {
		error_prefix(&err, "what it answers");
		c->cb(NULL, AWS_TROUBLE_LASTS, err.text, c->arg);
	} else {
		c->cb(&found, AWS_TROUBLE_LASTS, NULL, c->arg);
	}
	aws_credentials_fini(&found);
	str_fini(&problem);
}

static void
on_done(struct http_call *call, const struct http_result *result, void *arg)
{
	struct container *c = arg;

	(void)call;
	answer_read(c, result);
	aws_result_wipe(result);
	free(c);
}

static void
container_cancel(struct aws_question *q)
{
	struct container *c = (struct container *)q;

	http_call_cancel(c->call);
	free(c);
}

/* The file is read each time: it is replaced while the token in it is good. */
static int
field_make(const struct aws_plan *plan, struct str *field, struct error *err)
{
	struct str token;
	int rc = 0;

	if (plan->token_file == NULL && plan->token == NULL)
		return 0;
	str_init(&token);
	if (plan->token_file != NULL)
		rc = aws_token_read(plan->token_file, &token, err);
	else
		str_puts(&token, plan->token);
	if (rc == 0) {
		str_reserve(field, token.length + 32);
		str_printf(field, "Authorization: %s", token.data);
	} else {
		error_prefix(err, TOKEN_FILE);
	}
	str_fini_wiped(&token);
	return rc;
}

struct aws_question *
aws_container_ask(const struct aws_asker *a, const struct aws_plan *plan,
	struct error *err)
{
	static const struct http_events events = { .done = on_done };
	struct str field;
	const char *headers[2] = { NULL };
	const struct http_request r = {
		.url = plan->url,
		.headers = headers,
		.connect_timeout_ms = TIMEOUT_MS,
		.idle_timeout_ms = TIMEOUT_MS,
		.total_timeout_ms = 2 * TIMEOUT_MS,
		.body_max = BODY_MAX,
	};
	struct container *c = NULL;

	str_init(&field);
	if (field_make(plan, &field, err) == 0) {
		headers[0] = field.length > 0 ? field.data : NULL;
		c = xcalloc(1, sizeof(*c));
		c->question.cancel = container_cancel;
		c->cb = a->cb;
		c->arg = a->arg;
		c->call = http_call_new(a->http, &r, &events, c);
	}
	str_fini_wiped(&field);
	return c == NULL ? NULL : &c->question;
}
