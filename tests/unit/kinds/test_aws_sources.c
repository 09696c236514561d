/*
 * AWS credential sources over sockets and processes: what aws_fake.h has in its
 * hands is real here, a server on loopback and a script.
 */
#include "told.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "kinds/aws/process.h"
#include "kinds/aws/provider.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "tests/lib/replay.h"

#define ARN "arn:aws:iam::123456789012:role/gateway"
#define KEYS(name)                                                             \
	"\"AccessKeyId\":\"" name "\",\"SecretAccessKey\":\"s3cr3t\","         \
	"\"Token\":\"t0k3n\",\"SessionToken\":\"t0k3n\",\"Version\":1,"        \
	"\"Code\":\"Success\",\"Expiration\":\"2099-01-01T00:00:00Z\""
#define CREDENTIALS(name) "{" KEYS(name) "}"
#define STS(action, name)                                                      \
	"<" action "Response><" action                                         \
	"Result><Credentials><AccessKeyId>" name                               \
	"</AccessKeyId><SecretAccessKey>s3cr3t</SecretAccessKey>"              \
	"<SessionToken>t0k3n</SessionToken>"                                   \
	"<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></" action \
	"Result></" action "Response>"

static char folder[] = "/tmp/aws-sources-XXXXXX";

struct world {
	struct loop *loop;
	struct http_client *http;
	struct replay *server;
	struct loop_timer *late;
	char *environment[8];
	char *settings; /* YAML; or NULL */
	struct aws_provider_options options;
};

static void
on_late(void *arg)
{
	(void)arg;
	fail_msg("nothing came in 20 s");
}

static void
on_changed(const struct aws_credentials *c, void *arg)
{
	struct world *w = arg;

	str_printf(&told, "use %s\n", c == NULL ? "none" : c->access_key);
	loop_stop(w->loop);
}

static void
on_problem(const char *sentence, void *arg)
{
	struct world *w = arg;

	str_printf(
		&told, "problem: %s\n", sentence == NULL ? "none" : sentence);
	loop_stop(w->loop);
}

static void
world_open(struct world *w, const struct replay_line *script)
{
	*w = (struct world){ .loop = loop_new() };
	w->http = http_client_new(w->loop);
	w->server = replay_new(w->loop, script, w);
	w->options = (struct aws_provider_options){
		.loop = w->loop,
		.http = w->http,
		.settings_folder = folder,
		.region = "us-east-2",
		.environment = w->environment,
		.changed = on_changed,
		.problem = on_problem,
		.arg = w,
	};
	w->late = loop_timer_new(w->loop, on_late, NULL);
	loop_timer_start(w->late, 20000);
}

/* Until it tells something. */
static void
world_run(struct world *w)
{
	struct doc *settings = w->settings == NULL ? NULL : yaml(w->settings);
	struct aws_provider *p;

	w->options.settings = settings;
	p = aws_provider_new(&w->options);
	doc_free(settings);
	loop_run(w->loop);
	aws_provider_free(p);
}

static void
world_close(struct world *w)
{
	loop_timer_free(w->late);
	replay_free(w->server);
	http_client_free(w->http);
	loop_free(w->loop);
	for (size_t i = 0; i < ARRAY_SIZE(w->environment); i++)
		free(w->environment[i]);
	free(w->settings);
}

static char *
file_make(const char *name, const char *text, mode_t mode)
{
	char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(file_replace(path, text, strlen(text), mode, NULL), 0);
	return path;
}

static void
test_instance_and_role(void **state)
{
	static const struct replay_line script[] = {
		{ "PUT /latest/api/token X-aws-ec2-metadata-token-ttl-seconds: "
		  "21600 Content-Length: !Expect",
			200, NULL, "session==", 0, 0, 0, NULL },
		{ "GET /latest/meta-data/iam/security-credentials/ "
		  "X-aws-ec2-metadata-token: session==",
			200, NULL, "app", 1, 0, 0, NULL },
		{ "GET /latest/meta-data/iam/security-credentials/app", 200,
			NULL, CREDENTIALS("ASIAONE"), 7, 0, 0, NULL },
		{ "POST / Content-Type: application/x-www-form-urlencoded "
		  "X-Amz-Date: X-Amz-Security-Token: t0k3n "
		  "AWS4-HMAC-SHA256 Credential=ASIAONE/ "
		  "SignedHeaders=content-type;host;x-amz-date;"
		  "x-amz-security-token !Expect",
			200, NULL, STS("AssumeRole", "ASIATWO"), 5, 0, 0,
			NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world w;

	(void)state;
	world_open(&w, script);
	w.settings = xasprintf("stsEndpointUrl: http://127.0.0.1:%u\n"
			       "imdsEndpointUrl: http://127.0.0.1:%u\n"
			       "sharedCredentialsFile: none\n"
			       "configFile: none\n",
		replay_port(w.server), replay_port(w.server));
	w.options.role_arn = ARN;
	world_run(&w);
	told_is("use ASIATWO\n");
	assert_int_equal(replay_count(w.server), 4);
	world_close(&w);
}

static void
test_web_identity(void **state)
{
	static const struct replay_line script[] = {
		{ "POST / !Authorization !X-Amz", 200, NULL,
			STS("AssumeRoleWithWebIdentity", "ASIAWEB"), 0, 0, 0,
			NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world w;
	char *path = file_make("web", "eyJ.t0k3n.x\n", 0600);

	(void)state;
	world_open(&w, script);
	w.environment[0] = xasprintf("AWS_WEB_IDENTITY_TOKEN_FILE=%s", path);
	w.environment[1] = xstrdup("AWS_ROLE_ARN=" ARN);
	w.environment[2] = xasprintf("AWS_ENDPOINT_URL_STS=http://localhost:%u",
		replay_port(w.server));
	world_run(&w);
	told_is("use ASIAWEB\n");
	world_close(&w);
	free(path);
}

static void
test_container(void **state)
{
	static const struct replay_line script[] = {
		{ "GET /v1/credentials?a=b Authorization: t0k3n", 200, NULL,
			CREDENTIALS("ASIAPOD"), 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world w;
	char *path = file_make("pod", "t0k3n", 0600);

	(void)state;
	world_open(&w, script);
	w.environment[0] = xasprintf("AWS_CONTAINER_CREDENTIALS_FULL_URI="
				     "http://127.0.0.1:%u/v1/credentials?a=b",
		replay_port(w.server));
	w.environment[1] =
		xasprintf("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s", path);
	world_run(&w);
	told_is("use ASIAPOD\n");
	world_close(&w);
	free(path);
}

struct ticking {
	struct loop_timer *timer;
	unsigned count;
};

static void
on_tick(void *arg)
{
	struct ticking *t = arg;

	t->count++;
	loop_timer_start(t->timer, 100);
}

/* It answers nothing: three attempts, a second or so each, and then it is told;
 * the loop goes on meanwhile. */
static void
test_silence(void **state)
{
	static const struct replay_line script[] = {
		{ "PUT", -1, NULL, NULL, 0, 0, 0, NULL },
		{ "PUT", -1, NULL, NULL, 0, 0, 0, NULL },
		{ "PUT", -1, NULL, NULL, 0, 0, 0, NULL },
		{ NULL, 0, NULL, NULL, 0, 0, 0, NULL },
	};
	struct world w;
	struct ticking ticking = { NULL, 0 };

	(void)state;
	world_open(&w, script);
	w.settings = xasprintf("imdsEndpointUrl: http://127.0.0.1:%u\n"
			       "sharedCredentialsFile: none\n"
			       "configFile: none\n",
		replay_port(w.server));
	ticking.timer = loop_timer_new(w.loop, on_tick, &ticking);
	loop_timer_start(ticking.timer, 100);
	world_run(&w);
	assert_non_null(strstr(told.data, "problem: there are no AWS "
					  "credentials: instance metadata ("));
	str_clear(&told);
	assert_int_equal(replay_count(w.server), 3);
	/* Three seconds of nothing but waiting. */
	assert_true(ticking.count > 5);
	loop_timer_free(ticking.timer);
	world_close(&w);
}

static void
on_enough(void *arg)
{
	loop_stop(arg);
}

static void
test_process(void **state)
{
	static const struct replay_line script[] = { { NULL, 0, NULL, NULL, 0,
		0, 0, NULL } };
	struct world w;
	char *program = file_make("get",
		"#!/bin/sh\n[ \"$1|$#\" = 'a b|1' ] || exit 7\n"
		"[ \"$AWS_SDK\" = set ] || exit 8\n"
		"printf '%s' '" CREDENTIALS("ASIARUN") "'\n",
		0700);
	char *line = xasprintf(
		"[default]\ncredential_process = %s 'a b'\n", program);
	char *config = file_make("config", line, 0600);

	(void)state;
	world_open(&w, script);
	w.settings = xstrdup("configFile: config\n"
			     "sharedCredentialsFile: none\n");
	w.environment[0] = xstrdup("AWS_SDK=set");
	w.environment[1] = xstrdup("PATH=/usr/bin:/bin");
	world_run(&w);
	told_is("use ASIARUN\n");
	world_close(&w);
	/* One that hangs is given up with the provider. */
	free(program);
	program = file_make("get", "#!/bin/sh\nexec tail -f /dev/null\n", 0700);
	world_open(&w, script);
	w.settings = xstrdup("configFile: config\n"
			     "sharedCredentialsFile: none\n");
	loop_timer_free(w.late);
	w.late = loop_timer_new(w.loop, on_enough, w.loop);
	loop_timer_start(w.late, 50);
	world_run(&w);
	told_is("");
	world_close(&w);
	free(program);
	free(line);
	free(config);
}

static void
test_lines(void **state)
{
	static const struct {
		const char *line, *words; /* NULL: none */
	} cases[] = {
		{ "a", "<a>" },
		{ " a  b\tc ", "<a><b><c>" },
		{ "'a b' \"c d\" e\\ f", "<a b><c d><e f>" },
		{ "a'b'\"c\" ''", "<abc><>" },
		{ "\"a\\\"b\\\\c\\d\" '\\'", "<a\"b\\c\\d><\\>" },
		{ "a; b | c > d $HOME `e`", "<a;><b><|><c><>><d><$HOME><`e`>" },
		{ "a\\", "<a\\>" },
		{ "", NULL },
		{ "  ", NULL },
		{ "'' a", NULL },
		{ "a 'b", NULL },
		{ "a \"b\\\"", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT;
		char **words = aws_process_split(cases[i].line, &err);
		struct str s;

		assert_int_equal(words == NULL, cases[i].words == NULL);
		if (words == NULL) {
			assert_true(err.text[0] != '\0');
			continue;
		}
		str_init(&s);
		for (size_t k = 0; words[k] != NULL; k++)
			str_printf(&s, "<%s>", words[k]);
		assert_string_equal(s.data, cases[i].words);
		str_fini(&s);
		aws_process_words_free(words);
	}
}

static int
setup(void **state)
{
	told_setup(state);
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char *text = xasprintf("rm -r %s", folder);
	int rc = system(text);

	free(text);
	told_teardown(state);
	return rc;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instance_and_role),
		cmocka_unit_test(test_web_identity),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
