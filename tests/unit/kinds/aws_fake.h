/*
 * AWS credential sources in the test's hands: time passes when it says so, HTTP
 * questions are answered by it, files are in a folder of its own, and what a
 * provider tells is written down, a line each: "use AKID1", "use none",
 * "problem: ...", "well".
 */
#ifndef TESTS_UNIT_KINDS_AWS_FAKE_H
#define TESTS_UNIT_KINDS_AWS_FAKE_H

#include "told.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "kinds/aws/provider.h"
#include "kinds/command.h"
#include "net/http_client.h"
#include "tests/unit/net/fake_time.h"

#define MINUTE  UINT64_C(60000)
#define HOUR    (60 * MINUTE)
#define SECRET  "s3cr3t-of-"
#define SESSION "t0k3n-of-"

/* ---- files */

static char fake_folder[] = "/tmp/aws-provider-XXXXXX";

static inline char *
fake_path(const char *name)
{
	return xasprintf("%s/%s", fake_folder, name);
}

/* text NULL: it is taken away. */
static inline void
fake_file(const char *name, const char *text)
{
	char *path = fake_path(name);

	unlink(path);
	if (text != NULL)
		assert_int_equal(
			file_replace(path, text, strlen(text), 0600, NULL), 0);
	free(path);
}

/* ---- HTTP */

struct http_call {
	char *method, *url, *headers, *body; /* headers: a line each */
	struct http_events events;
	void *arg;
	uint64_t connect_ms, idle_ms, total_ms;
};

static struct http_call *fake_call; /* there is one at a time */
static size_t fake_calls;           /* of all time */
static const char *fake_header;     /* of the next answers; or NULL */
static const char *fake_date;       /* likewise */

struct http_call *
http_call_new(struct http_client *c, const struct http_request *r,
	const struct http_events *events, void *arg)
{
	struct http_call *call = xcalloc(1, sizeof(*call));
	struct str headers;

	(void)c;
	assert_null(fake_call);
	str_init(&headers);
	for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL; i++)
		str_printf(&headers, "%s\n", r->headers[i]);
	*call = (struct http_call){
		.method = xstrdup(r->method == NULL ? "GET" : r->method),
		.url = xstrdup(r->url),
		.headers = str_steal(&headers),
		.body = xstrndup(r->body.length == 0 ? "" : r->body.data,
			r->body.length),
		.events = *events,
		.arg = arg,
		.connect_ms = r->connect_timeout_ms,
		.idle_ms = r->idle_timeout_ms,
		.total_ms = r->total_timeout_ms,
	};
	assert_true(r->total_timeout_ms > 0);
	assert_true(r->body_max > 0);
	fake_call = call;
	fake_calls++;
	return call;
}

static inline void
fake_call_free(struct http_call *call)
{
	free(call->method);
	free(call->url);
	free(call->headers);
	free(call->body);
	free(call);
}

void
http_call_cancel(struct http_call *call)
{
	if (call == NULL)
		return;
	assert_ptr_equal(call, fake_call);
	fake_call = NULL;
	fake_call_free(call);
}

const char *
http_call_header(const struct http_call *call, const char *name)
{
	(void)call;
	if (strcmp(name, "Date") == 0)
		return fake_date;
	assert_string_equal(name, "x-aws-ec2-metadata-token-ttl-seconds");
	return fake_header;
}

static inline void
fake_result(int status, const char *body, const char *problem)
{
	struct http_call *call = fake_call;
	char *copy = xstrdup(body);
	const struct http_result r = {
		.status = status,
		.problem = problem,
		.body = slice_of(copy),
	};

	assert_non_null(call);
	fake_call = NULL;
	call->events.done(call, &r, call->arg);
	fake_call_free(call);
	free(copy);
}

/* What is asked now: "PUT http://..."; the answer to it. */
static inline void
asks(const char *want)
{
	char *text;

	if (fake_call == NULL)
		fail_msg("nothing is asked, not %s; %s", want, told.data);
	text = xasprintf("%s %s", fake_call->method, fake_call->url);
	assert_string_equal(text, want);
	free(text);
}

static inline void
answers(int status, const char *body)
{
	fake_result(status, body, NULL);
}

static inline void
is_silent(void)
{
	fake_result(0, "", "127.0.0.1:1: no answer in time");
}

static inline void
header_is(const char *line)
{
	assert_non_null(fake_call);
	if (strstr(fake_call->headers, line) == NULL)
		fail_msg("%s is not in %s", line, fake_call->headers);
}

static inline void
body_has(const char *text)
{
	assert_non_null(fake_call);
	if (strstr(fake_call->body, text) == NULL)
		fail_msg("%s is not in %s", text, fake_call->body);
}

/* ---- programs */

struct command {
	char *line; /* words, with "|" in between */
	command_f *cb;
	void *arg;
};

static struct command *fake_command;
static size_t fake_commands;

int
command_start(struct loop *loop, const struct command_line *line, command_f *cb,
	void *arg, struct command **out)
{
	struct str words;

	(void)loop;
	*out = NULL;
	if (strcmp(line->argv[0], "no-such-program") == 0)
		return ENOENT;
	assert_null(fake_command);
	str_init(&words);
	for (size_t i = 0; line->argv[i] != NULL; i++)
		str_printf(&words, "%s%s", i == 0 ? "" : "|", line->argv[i]);
	fake_command = xcalloc(1, sizeof(*fake_command));
	fake_command->line = str_steal(&words);
	fake_command->cb = cb;
	fake_command->arg = arg;
	fake_commands++;
	*out = fake_command;
	return 0;
}

void
command_cancel(struct command *c)
{
	if (c == NULL)
		return;
	assert_ptr_equal(c, fake_command);
	fake_command = NULL;
	free(c->line);
	free(c);
}

static inline void
prints(const char *output, const char *problem)
{
	struct command *c = fake_command;
	const struct command_result r = {
		.output = slice_of(output),
		.problem = problem,
		.complaint = problem == NULL ? "" : ": log in first",
	};

	assert_non_null(c);
	fake_command = NULL;
	c->cb(&r, c->arg);
	free(c->line);
	free(c);
}

/* ---- the provider */

static struct aws_provider *provider;
static struct aws_provider_options options;
static struct str environment_text; /* a pair, a NUL, ... */
static char *environment_pairs[32];
static char *settings_yaml;
static bool free_in_changed, free_in_problem;
static uint64_t used_until_ms;

static inline void
on_changed(const struct aws_credentials *c, void *arg)
{
	(void)arg;
	if (c != NULL)
		assert_non_null(c->session_token);
	str_printf(&told, "use %s\n", c == NULL ? "none" : c->access_key);
	used_until_ms = c == NULL ? 0 : c->expires_ms;
	if (free_in_changed) {
		aws_provider_free(provider);
		provider = NULL;
	}
}

static inline void
on_problem(const char *sentence, void *arg)
{
	(void)arg;
	if (sentence == NULL)
		str_puts(&told, "well\n");
	else
		str_printf(&told, "problem: %s\n", sentence);
	if (sentence != NULL) {
		assert_null(strstr(sentence, "s3cr3t"));
		assert_null(strstr(sentence, "t0k3n"));
		assert_null(strchr(sentence, '\n'));
	}
	if (free_in_problem) {
		aws_provider_free(provider);
		provider = NULL;
	}
}

/* "%" in a value stands for the folder. */
static inline void
environment(const char *pair)
{
	size_t count = 0;

	while (environment_pairs[count] != NULL)
		count++;
	assert_true(count + 1 < ARRAY_SIZE(environment_pairs));
	str_clear(&environment_text);
	for (; *pair != '\0'; pair++) {
		if (*pair == '%')
			str_puts(&environment_text, fake_folder);
		else
			str_putc(&environment_text, *pair);
	}
	environment_pairs[count] = xstrdup(environment_text.data);
}

static inline void
environment_none(void)
{
	for (size_t i = 0; environment_pairs[i] != NULL; i++) {
		free(environment_pairs[i]);
		environment_pairs[i] = NULL;
	}
}

static inline void
start(void)
{
	struct doc *settings =
		settings_yaml == NULL ? NULL : yaml(settings_yaml);

	if (options.region == NULL)
		options.region = "us-east-2";
	options.settings = settings;
	options.settings_folder = fake_folder;
	options.environment = environment_pairs;
	options.changed = on_changed;
	options.problem = on_problem;
	if (settings != NULL)
		assert_int_equal(aws_settings_check(settings, NULL), 0);
	provider = aws_provider_new(&options);
	doc_free(settings);
	assert_string_equal(told.data, "");
	pass(0);
}

static inline void
stop(void)
{
	aws_provider_free(provider);
	provider = NULL;
	assert_null(fake_call);
	assert_null(fake_command);
	assert_null(fake_timers);
	assert_string_equal(told.data, "");
	environment_none();
	options = (struct aws_provider_options){ 0 };
	settings_yaml = NULL;
	fake_header = fake_date = NULL;
	free_in_changed = free_in_problem = false;
}

/* Before each test, whatever became of the one before. */
static inline int
aws_reset(void **state)
{
	(void)state;
	aws_provider_free(provider);
	provider = NULL;
	str_clear(&told);
	stop();
	fake_now_ms = 1000000;
	return 0;
}

/* The first line of what was told begins so; nothing more was. */
static inline void
told_begins(const char *want)
{
	if (strncmp(told.data, want, strlen(want)) != 0)
		fail_msg("told is\n%s, not\n%s", told.data, want);
	assert_non_null(strchr(told.data, '\n'));
	assert_string_equal(strchr(told.data, '\n'), "\n");
	str_clear(&told);
}

static inline const char *
time_in(uint64_t ms)
{
	static char text[CLOCK_TEXT_MAX];

	return clock_format(clock_realtime_ms() + ms, text);
}

/* The answers of the sources; valid until the next one is made. */
static inline const char *
sts_says(const char *action, const char *name, uint64_t lives_ms)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		"<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/"
		"\"><%sResult><Credentials><AccessKeyId>%s</AccessKeyId>"
		"<SecretAccessKey>" SECRET "%s</SecretAccessKey>"
		"<SessionToken>" SESSION "%s</SessionToken>"
		"<Expiration>%s</Expiration></Credentials></%sResult>"
		"</%sResponse>",
		action, action, name, name, name, time_in(lives_ms), action,
		action);
	return text;
}

static inline const char *
sts_refuses(const char *code, const char *message)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		"<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/"
		"2011-06-15/\"><Error><Type>Sender</Type><Code>%s</Code>"
		"<Message>%s</Message></Error><RequestId>1</RequestId>"
		"</ErrorResponse>",
		code, message);
	return text;
}

static inline const char *
json_says(const char *name, uint64_t lives_ms)
{
	static char text[1024];

	snprintf(text, sizeof(text),
		"{\"Code\":\"Success\",\"Version\":1,\"AccessKeyId\":\"%s\","
		"\"SecretAccessKey\":\"" SECRET "%s\",\"Token\":\"" SESSION
		"%s\",\"SessionToken\":\"" SESSION
		"%s\",\"Expiration\":\"%s\"}",
		name, name, name, name, time_in(lives_ms));
	return text;
}

static inline int
aws_setup(void **state)
{
	told_setup(state);
	str_init(&environment_text);
	return mkdtemp(fake_folder) == NULL ? -1 : 0;
}

static inline int
aws_teardown(void **state)
{
	char *text = xasprintf("rm -r %s", fake_folder);
	int rc = system(text);

	free(text);
	str_fini(&environment_text);
	told_teardown(state);
	return rc;
}

#define TEST(name) cmocka_unit_test_setup(name, aws_reset)

/* ---- what is configured */

#define STS  "http://127.0.0.1:15000/"
#define IMDS "http://127.0.0.1:15001"
#define SETTINGS                                                               \
	"stsEndpointUrl: http://127.0.0.1:15000\n"                             \
	"imdsEndpointUrl: http://127.0.0.1:15001/\n"
#define WEB  "AssumeRoleWithWebIdentity"
#define ROLE "AssumeRole"
#define ARN  "arn:aws:iam::123456789012:role/gateway"

static inline void
web_identity(void)
{
	settings_yaml = SETTINGS;
	environment("AWS_WEB_IDENTITY_TOKEN_FILE=%/web-token");
	environment("AWS_ROLE_ARN=" ARN);
	environment("AWS_ROLE_SESSION_NAME=pod-7@east");
	fake_file("web-token", SESSION "1/+\n");
}

#endif
