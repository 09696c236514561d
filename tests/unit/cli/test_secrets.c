/* Tests the commands about secrets: create secret, get secrets, delete secret,
 * edit upstream --ssl-*. */
#include "command_cases.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/describe.h"

#define SECRET "/v1/secrets/gloo-system/s"
#define UP     "/v1/upstreams/gloo-system/backend"
#define SHOWN                                                                  \
	"{\"metadata\":{\"name\":\"s\",\"namespace\":\"gloo-system\"},"        \
	"\"aws\":{\"accessKey\":null,\"secretKey\":null},\"status\":{"         \
	"\"secret\":{\"type\":\"AWS\",\"usedBy\":[]}}}"
#define TABLE                                                                  \
	"+--------+------+----------+---------+-----+---------+\n"             \
	"| SECRET | TYPE |  STATUS  | EXPIRES | AGE | USED BY |\n"             \
	"+--------+------+----------+---------+-----+---------+\n"             \
	"| s      | AWS  | Accepted |         |     |         |\n"             \
	"+--------+------+----------+---------+-----+---------+\n"
#define UPSTREAM(ssl)                                                          \
	"{\"metadata\":{\"name\":\"backend\",\"namespace\":\"gloo-system\"}"   \
	",\"upstreamSpec\":{\"static\":{\"hosts\":[{\"addr\":\"10.0.0.2\","    \
	"\"port\":443}]}}" ssl "}"
#define STORED                                                                 \
	{                                                                      \
		{ "PUT " SECRET, 200, VERDICT("Accepted", "", SHOWN), false }, \
			END                                                    \
	}

static const struct command_case cases[] = {
	{ "create secret aws: by flags",
		"create secret aws s --access-key AKID --secret-key K "
		"--session-token T",
		NULL, STORED, CLI_OK, TABLE, "",
		"{\"aws\":{\"accessKey\":\"AKID\",\"secretKey\":\"K\","
		"\"sessionToken\":\"T\"},\"metadata\":{\"name\":\"s\","
		"\"namespace\":\"gloo-system\"}}\n" },
	{ "create secret aws -i: what is typed is not shown",
		"create secret aws -i", "\ns\nAKIDTYPED\nKEYTYPED\n", STORED,
		CLI_OK, TABLE,
		"? Please choose a namespace gloo-system\n"
		"? name of secret s\n"
		"? Enter AWS Access Key ID (leave empty to read credentials "
		"from ~/.aws/credentials):  ...\n"
		"? Enter AWS Secret Key (leave empty to read credentials from "
		"~/.aws/credentials):  ...\n",
		"\"secretKey\":\"KEYTYPED\"" },
	{ "create secret aws: a token without its keys",
		"create secret aws s --session-token NEVERSHOWN", NULL, { END },
		CLI_USAGE, "", "--session-token belongs to an --access-key",
		NULL },
	{ "create secret aws -i: another namespace", "create secret aws -i",
		"other\ns\nA\nB\n",
		{ { "PUT /v1/secrets/other/s", 200,
			  VERDICT("Accepted", "", SHOWN), false },
			END },
		CLI_OK, TABLE, "? Please choose a namespace other\n",
		"\"namespace\":\"other\"" },
	{ "create secret azure -i", "create secret azure -i",
		"\ns\nf=NEVERSHOWN\n\n", STORED, CLI_OK, TABLE,
		"? Please choose a namespace gloo-system\n"
		"? name of secret s\n"
		"? Add an API key as function=key (empty to finish): ...\n"
		"? Add an API key as function=key (empty to finish): \n",
		"{\"apiKeys\":{\"f\":\"NEVERSHOWN\"}}" },
	{ "create secret aws: half of it",
		"create secret aws s --access-key AKID", NULL, { END },
		CLI_USAGE, "", "--secret-key is missing", NULL },
	{ "create secret azure: by flags",
		"create secret azure --name s --api-keys e=a,f=b=c", NULL,
		STORED, CLI_OK, TABLE, "",
		"{\"azure\":{\"apiKeys\":{\"e\":\"a\",\"f\":\"b=c\"}}" },
	{ "create secret azure: a key without its function",
		"create secret azure s --api-keys NEVERSHOWN", NULL, { END },
		CLI_USAGE, "",
		"--api-keys: expected function=key, comma-separated", NULL },
	{ "create secret tls: nothing", "create secret tls s", NULL, { END },
		CLI_USAGE, "",
		"--certchain with --privatekey, or --rootca, is missing",
		NULL },
	{ "create secret tls: a file that is not there",
		"create secret tls s --rootca /nonexistent/ca.pem", NULL,
		{ END }, CLI_USAGE, "", "/nonexistent/ca.pem", NULL },
	{ "create secret: what exists is refused",
		"create secret aws s --access-key A --secret-key K", NULL,
		{ { "GET " SECRET, 200, SHOWN, false }, END }, CLI_USAGE, "",
		"there is a secret named \"s\" already", NULL },
	{ "create secret --replace: what exists is replaced",
		"create secret aws s --replace --access-key A --secret-key K",
		NULL, STORED, CLI_OK, TABLE, "", "PUT " SECRET },
	{ "create secret: Rejected",
		"create secret aws s --access-key A --secret-key K", NULL,
		{ { "PUT " SECRET, 422,
			  "{\"state\":\"Rejected\",\"reason\":\"aws: no\"}",
			  false },
			END },
		CLI_REJECTED, "", "rejected: aws: no\n", NULL },
	{ "get secrets", "get secrets", NULL,
		{ { "GET /v1/secrets", 200,
			  ITEMS("{\"metadata\":{\"name\":\"s\",\"namespace\":"
				"\"gloo-system\"},\"status\":{\"state\":"
				"\"Accepted\",\"secret\":{\"type\":\"AWS\"}}}"),
			  false },
			END },
		CLI_OK, TABLE, "", NULL },
	{ "delete secret: who still names it", "delete secret s", NULL,
		{ { "GET " SECRET, 200, SHOWN, false },
			{ "DELETE " SECRET, 200,
				"{\"state\":\"Warning\",\"reason\":\"it is "
				"still named by gloo-system.u\"}",
				false },
			END },
		CLI_WARNING, "secret gloo-system.s deleted\n",
		"warning: it is still named by gloo-system.u\n", NULL },
	{ "create upstream aws -i: one of the secrets of AWS",
		"create upstream aws -i", "us-east-1\ngloo-system.s\n\nu\n",
		{ { "GET /v1/secrets", 200,
			  ITEMS("{\"metadata\":{\"name\":\"t\",\"namespace\":"
				"\"gloo-system\"},\"status\":{\"secret\":{"
				"\"type\":\"TLS\"}}}," SHOWN),
			  false },
			{ "PUT /v1/upstreams/gloo-system/u", 200,
				VERDICT("Accepted", "", UPSTREAM("")), false },
			END },
		CLI_OK, NULL, "Choose an AWS credentials secret",
		"\"secretRef\":{\"name\":\"s\",\"namespace\":\"gloo-"
		"system\"}" },
	{ "create upstream aws -i: another one is asked for again",
		"create upstream aws -i", "us-east-1\ngloo-system.t\n",
		{ { "GET /v1/secrets", 200, ITEMS(SHOWN), false }, END },
		CLI_USAGE, "", "\"gloo-system.t\" is none of: gloo-system.s, none",
		NULL },
	{ "create upstream aws -i: no secret, since the daemon finds credentials",
		"create upstream aws -i", "us-east-1\n\n\nu\n",
		{ { "GET /v1/secrets", 200, ITEMS(SHOWN), false },
			{ "PUT /v1/upstreams/gloo-system/u", 200,
				VERDICT("Accepted", "", UPSTREAM("")), false },
			END },
		CLI_OK, NULL,
		"? Choose an AWS credentials secret to link to this upstream:  "
		"none\n",
		"\"upstreamSpec\":{\"aws\":{\"region\":\"us-east-1\"}}" },
	{ "edit upstream: a secret and a name",
		"edit upstream backend --ssl-secret-name s --ssl-sni a.test",
		NULL,
		{ { "GET " UP, 200,
			  UPSTREAM(",\"sslConfig\":{\"sslFiles\":{\"rootCa\":"
				   "\"/x\"},\"oneWayTls\":true}"),
			  false },
			{ "PUT " UP, 200, VERDICT("Accepted", "", UPSTREAM("")),
				false },
			END },
		CLI_OK, NULL, "",
		"\"sslConfig\":{\"oneWayTls\":true,\"secretRef\":{\"name\":"
		"\"s\",\"namespace\":\"gloo-system\"},\"sni\":\"a.test\"}" },
	{ "edit upstream --ssl-remove", "edit upstream backend --ssl-remove",
		NULL,
		{ { "GET " UP, 200, UPSTREAM(",\"sslConfig\":{}"), false },
			{ "PUT " UP, 200, VERDICT("Accepted", "", UPSTREAM("")),
				false },
			END },
		CLI_OK, NULL, "",
		"PUT " UP " {\"metadata\":{\"name\":\"backend\",\"namespace\":"
		"\"gloo-system\"},\"upstreamSpec\":" },
	{ "edit upstream --ssl-remove where there is none",
		"edit upstream backend --ssl-remove", NULL,
		{ { "GET " UP, 200, UPSTREAM(""), false }, END }, CLI_OK, NULL,
		"", NULL },
	{ "edit upstream: both",
		"edit upstream backend --ssl-remove --ssl-sni a", NULL, { END },
		CLI_USAGE, "", "--ssl-remove takes away", NULL },
};

static void
test_commands(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

/* From files, without what the command line would show. */
static void
test_tls_files(void **state)
{
	static const struct fake_row rows[] = STORED;
	char path[] = "/tmp/gg-pem-XXXXXX", *line;
	int fd = mkstemp(path);
	struct fake_result r;
	struct fake fake;
	char *log;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "PEM\n", 4), 4);
	close(fd);
	line = xasprintf("create secret tls s --rootca %s --certchain %s "
			 "--privatekey %s",
		path, path, path);
	fake_start(&fake, rows);
	r = fake_run(fake.socket, line, NULL);
	log = fake_log(&fake);
	assert_int_equal(r.status, CLI_OK);
	assert_non_null(strstr(log,
		"{\"metadata\":{\"name\":\"s\",\"namespace\":\"gloo-system\"},"
		"\"tls\":{\"certChain\":\"PEM\\n\",\"privateKey\":\"PEM\\n\","
		"\"rootCa\":\"PEM\\n\"}}"));
	fake_result_fini(&r);
	fake_stop(&fake);
	free(log);
	free(line);
	unlink(path);
}

static struct fake_result
aws_create(const char *line, char **sent)
{
	static const struct fake_row rows[] = STORED;
	struct fake_result r;
	struct fake fake;

	fake_start(&fake, rows);
	r = fake_run(fake.socket, line, NULL);
	*sent = access(fake.log, R_OK) == 0 ? fake_log(&fake) : xstrdup("");
	fake_stop(&fake);
	return r;
}

/* Without keys those of the file of the AWS tools are taken; nothing of it is
 * shown. */
static void
test_aws_file(void **state)
{
	static const char text[] = "[other]\naws_access_key_id = AKIDOTHER\n"
				   "aws_secret_access_key = KEYOTHER\n"
				   "aws_session_token=TOKENOTHER\n"
				   "[default]\r\naws_access_key_id=AKIDFILE\r\n"
				   "# aws_secret_access_key = no\n"
				   "aws_secret_access_key =  KEY=FILE \r\n"
				   "[half]\naws_access_key_id = AKIDHALF\n";
	static const struct {
		const char *profile, *line;
		int status;
		const char *sent, *err;
	} rows[] = {
		{ "", "create secret aws s", CLI_OK,
			"{\"aws\":{\"accessKey\":\"AKIDFILE\",\"secretKey\":"
			"\"KEY=FILE\"}",
			"" },
		{ "", "create secret aws s --access-key= --secret-key=", CLI_OK,
			"\"accessKey\":\"AKIDFILE\"", "" },
		{ "other", "create secret aws s", CLI_OK,
			"\"sessionToken\":\"TOKENOTHER\"", "" },
		{ "half", "create secret aws s", CLI_USAGE, "",
			"has no aws_access_key_id with aws_secret_access_key "
			"in [half]; give --access-key and --secret-key, or "
			"-i\n" },
		{ "none", "create secret aws s", CLI_USAGE, "", "in [none]" },
	};
	char path[] = "/tmp/gg-aws-XXXXXX", *sent;
	int fd = mkstemp(path);
	struct fake_result r;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setenv("AWS_PROFILE", rows[i].profile, 1);
		r = aws_create(rows[i].line, &sent);
		if (r.status != rows[i].status ||
			strstr(sent, rows[i].sent) == NULL ||
			strstr(r.err, rows[i].err) == NULL ||
			strstr(r.err, "AKID") != NULL ||
			strstr(r.err, "KEYOTHER") != NULL)
			fail_msg("%zu: %d\n%s%s%s", i, r.status, r.out, r.err,
				sent);
		free(sent);
		fake_result_fini(&r);
	}
	unlink(path);
	r = aws_create("create secret aws s", &sent);
	assert_int_equal(r.status, CLI_USAGE);
	assert_non_null(strstr(r.err, path));
	assert_non_null(strstr(r.err, "; give --access-key and --secret-key, "
				      "or -i\n"));
	free(sent);
	fake_result_fini(&r);
	unsetenv("AWS_PROFILE");
	unsetenv("AWS_SHARED_CREDENTIALS_FILE");
}

/* Whatever goes wrong, what was given is not repeated. */
static void
test_never_shown(void **state)
{
	static const char *const lines[] = {
		"create secret aws s --access-key NEVERSHOWN",
		"create secret aws s --secret-key NEVERSHOWN",
		"create secret aws s --session-token NEVERSHOWN",
		"create secret aws s x --secret-key NEVERSHOWN",
		"create secret aws --access-key a --secret-key NEVERSHOWN",
		"create secret azure s --api-keys NEVERSHOWN",
		"create secret azure s --api-keys a=b,NEVERSHOWN",
		"create secret azure --api-keys a=NEVERSHOWN",
		"create secret azure s --api-keys a=NEVERSHOWN",
		"create secret aws s --access-key a --secret-key NEVERSHOWN",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct fake_result r =
			fake_run("/tmp/no-such-folder/sock", lines[i], NULL);

		assert_int_equal(r.status, CLI_USAGE);
		if (strstr(r.out, "NEVERSHOWN") != NULL ||
			strstr(r.err, "NEVERSHOWN") != NULL)
			fail_msg("%s:\n%s%s", lines[i], r.out, r.err);
		fake_result_fini(&r);
	}
}

/* Times as of now. */
static void
test_table(void **state)
{
	static const char json[] =
		"[{\"metadata\":{\"name\":\"a\",\"namespace\":\"ns\"},"
		"\"status\":{\"state\":\"Accepted\",\"secret\":{\"type\":"
		"\"TLS\",\"fingerprint\":\"AB:CD\",\"subject\":\"CN=x\","
		"\"created\":\"2026-11-20T00:00:00Z\",\"notAfter\":"
		"\"2026-12-26T00:00:00Z\",\"usedBy\":[\"ns.u\",\"ns.w\"]}}},"
		"{\"metadata\":{\"name\":\"b\",\"namespace\":\"ns\"},"
		"\"status\":{\"state\":\"Warning\",\"reason\":\"old\","
		"\"secret\":{\"type\":\"TLS\",\"notAfter\":"
		"\"2026-01-01T00:00:00Z\"}}}]";
	struct doc *items = json_doc_read(json, strlen(json), NULL);
	struct str text;
	uint64_t now;

	(void)state;
	assert_int_equal(clock_parse("2026-11-26T00:00:00Z", &now), 0);
	str_init(&text);
	describe_secrets(items, now, false, &text);
	assert_string_equal(text.data,
		"+--------+------+----------+----------------------+-----+"
		"---------+\n"
		"| SECRET | TYPE |  STATUS  |       EXPIRES        | AGE | "
		"USED BY |\n"
		"+--------+------+----------+----------------------+-----+"
		"---------+\n"
		"| a      | TLS  | Accepted | 2026-12-26 (30 d)    | 6 d | "
		"ns.u    |\n"
		"|        |      |          |                      |     | "
		"ns.w    |\n"
		"| b      | TLS  | Warning  | 2026-01-01 (expired) |     | "
		"        |\n"
		"+--------+------+----------+----------------------+-----+"
		"---------+\n");
	str_clear(&text);
	describe_secrets(items, now, true, &text);
	assert_non_null(strstr(text.data, "FINGERPRINT (SHA-256)"));
	assert_non_null(strstr(text.data, "| AB:CD "));
	assert_non_null(strstr(text.data, "| CN=x "));
	assert_non_null(strstr(text.data, "| old "));
	assert_null(strstr(text.data, "ORIGIN"));
	str_fini(&text);
	doc_free(items);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_tls_files),
		cmocka_unit_test(test_aws_file),
		cmocka_unit_test(test_never_shown),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
