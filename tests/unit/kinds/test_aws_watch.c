/*
 * Tests userspace/kinds/aws/watch.c: where Lambda is, which credentials the
 * proxy is given, what is told of functions, and what people are told.
 */
#include "aws_world.h"

#include "base/json.h"

#define SECOND 1000
#define SPEC   "{region: us-east-2}"
#define SECRET "{region: us-east-2, secretRef: {name: aws, namespace: n}}"

static struct model_secret secret = {
	.type = MODEL_SECRET_AWS,
	.aws = { (char *)"AKID", (char *)"geheim", NULL },
};

/* ---- where */

static void
test_endpoint(void **state)
{
	(void)state;
	world_watch(NULL, SPEC);
	told_is("u functions ?\nasked for credentials: the environment\n");
	resolves(LAMBDA_HOST, "3.15.0.1 3.15.0.2", NULL);
	told_is("u: 3.15.0.1:443(" LAMBDA_HOST ") 3.15.0.2:443(" LAMBDA_HOST
		")\n");
	credentials_come(&region_credentials);
	told_is("u credentials 1\nu ok\n");
	/* Nobody answers: they stay. */
	resolves(LAMBDA_HOST, NULL, "no answer");
	told_is("u: 3.15.0.1:443(" LAMBDA_HOST ") 3.15.0.2:443(" LAMBDA_HOST
		")\nu not ok: cannot resolve \"" LAMBDA_HOST "\": no answer\n");
	resolves(LAMBDA_HOST, "3.15.0.2", NULL);
	told_is("u: 3.15.0.2:443(" LAMBDA_HOST ")\nu ok\n");
	resolves(LAMBDA_HOST, "", "gone");
	told_is("u: none\nu not ok: cannot resolve \"" LAMBDA_HOST
		"\": gone, said twice: it has no endpoints\n");
}

static void
test_tls_and_overrides(void **state)
{
	static const struct {
		const char *spec;
		bool tls;
	} cases[] = {
		{ SPEC, true },
		{ "{endpointUrl: \"https://vpce.example:8443\"}", true },
		{ "{endpointUrl: \"http://127.0.0.1:3002\"}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct doc *d = yaml(cases[i].spec);
		void *spec = upstream_kind_aws.read(d, NULL);

		assert_non_null(spec);
		assert_int_equal(upstream_kind_aws.tls(spec), cases[i].tls);
		upstream_kind_aws.free(spec);
		doc_free(d);
	}
	world_watch(NULL, "{region: us-east-2, "
			  "endpointUrl: \"http://127.0.0.1:3002\"}");
	/* An address needs no name. */
	assert_null(fake_names);
	told_is("u: 127.0.0.1:3002\nu functions ?\n"
		"asked for credentials: the environment\n");
}

static void
used_put(const char *ip, const char *host)
{
	struct upstream *u = &world.u.upstream;
	struct endpoint *e = &u->used[u->used_count++];

	*e = (struct endpoint){ .weight = 1 };
	assert_int_equal(addr_parse_ip(ip, 443, &e->addr), 0);
	snprintf(e->host, sizeof(e->host), "%s", host);
}

/* What an earlier run found serves until the name is known. */
static void
test_earlier_run(void **state)
{
	(void)state;
	world_init(NULL);
	used_put("3.15.0.1", LAMBDA_HOST);
	upstream_resume(&world.u.upstream, SPEC);
	told_is("u functions ?\nasked for credentials: the environment\n");
	resolves(LAMBDA_HOST, NULL, "no answer");
	told_is("u not ok: cannot resolve \"" LAMBDA_HOST "\": no answer\n");
	assert_int_equal(world.u.upstream.used_count, 1);
}

/* A call for one region must not go to another. */
static void
test_another_region(void **state)
{
	(void)state;
	world_init(NULL);
	used_put("3.15.0.1", LAMBDA_HOST);
	used_put("52.1.0.1", "lambda.us-east-1.amazonaws.com");
	upstream_resume(&world.u.upstream, SPEC);
	told_is("u: 3.15.0.1:443(" LAMBDA_HOST ")\nu functions ?\n"
		"asked for credentials: the environment\n");
}

/* STS is asked as Lambda is. */
static void
test_fips(void **state)
{
	(void)state;
	world_watch(NULL, "{region: us-east-2, useFips: true}");
	told_is("u functions ?\nasked for credentials: the environment, "
		"FIPS\n");
	upstream_unwatch(&world.u.upstream);
	world_watch(NULL, "{region: us-east-2, useDualStack: true}");
	told_is("u functions ?\nasked for credentials: the environment, dual "
		"stack\n");
}

/* ---- credentials */

static void
test_credentials(void **state)
{
	struct aws_credentials c = { 0 };
	struct aws_credentials other = region_credentials;

	(void)state;
	world_watch(NULL, "{region: us-east-2, roleArn: \"arn:aws:iam::1:r\", "
			  "disableRoleChaining: true}");
	told_is("u functions ?\nasked for credentials: the environment, as "
		"arn:aws:iam::1:r alone\n");
	number_is("aws_without_credentials", 1);
	resolves(LAMBDA_HOST, "3.15.0.1", NULL);
	str_clear(&told);
	credentials_come(&region_credentials);
	told_is("u credentials 1\nu ok\n");
	assert_int_equal(aws_credentials_read((struct slice){ world.u.bytes,
						      world.u.length },
				 &c, NULL),
		0);
	assert_string_equal(c.access_key, REGION_ACCESS_KEY);
	assert_string_equal(c.secret_key, REGION_SECRET_KEY);
	assert_string_equal(c.session_token, REGION_TOKEN);
	aws_credentials_fini(&c);
	number_is("aws_without_credentials", 0);
	/* Renewed. */
	other.access_key = (char *)"ASIAOTHER";
	credentials_come(&other);
	told_is("u credentials 2\n");
	number_is("aws_credentials", 2);
	/* They are not renewed, and serve. */
	credentials_fail("STS cannot be asked: refused");
	told_is("u note the credentials are not renewed: STS cannot be asked: "
		"refused\n");
	/* Until they expire. */
	credentials_come(NULL);
	told_is("u credentials -\nu not ok: there are no credentials: STS "
		"cannot be asked: refused\nu note -\n");
	number_is("aws_without_credentials", 1);
	credentials_come(&region_credentials);
	told_is("u credentials 3\nu ok\nu note the credentials are not "
		"renewed: STS cannot be asked: refused\n");
	credentials_fail(NULL);
	told_is("u note -\n");
}

/* Watched anew after an edit: used is the spec that was before. */
static void
watch_edited(const char *key, const char *used, const char *spec)
{
	struct doc *d = yaml(used);

	world_init(key);
	world.u.upstream.host.used_spec = d;
	upstream_resume(&world.u.upstream, spec);
	world.u.upstream.host.used_spec = NULL;
	doc_free(d);
}

#define ROLE(name) "{region: us-east-2, roleArn: \"arn:aws:iam::1:" name "\"}"

/* Nobody is called as a role that is said no more, once it is known that the
 * one that is said cannot be had. */
static void
test_another_role(void **state)
{
	(void)state;
	watch_edited(NULL, ROLE("a"), ROLE("b"));
	resolves(LAMBDA_HOST, "3.15.0.1", NULL);
	str_clear(&told);
	credentials_fail("STS refuses role b");
	told_is("u credentials -\nu not ok: there are no credentials: STS "
		"refuses role b\n");
	credentials_fail("STS refuses role b: AccessDenied");
	told_is("u not ok: there are no credentials: STS refuses role b: "
		"AccessDenied\n");
}

/* The same role, or it is had: what there is stays. */
static void
test_the_same_role(void **state)
{
	(void)state;
	watch_edited(NULL, ROLE("a"),
		"{region: us-east-2, roleArn: \"arn:aws:iam::1:a\", "
		"useDualStack: false}");
	resolves(LAMBDA_HOST, "3.15.0.1", NULL);
	str_clear(&told);
	credentials_fail("STS is gone");
	told_is("u not ok: there are no credentials: STS is gone\n");
	upstream_unwatch(&world.u.upstream);
	watch_edited(NULL, ROLE("a"), ROLE("b"));
	resolves(LAMBDA_HOST, "3.15.0.1", NULL);
	str_clear(&told);
	credentials_come(&region_credentials);
	told_is("u credentials 1\nu ok\n");
	credentials_fail("STS is gone");
	told_is("u note the credentials are not renewed: STS is gone\n");
}

static void
test_none_at_all(void **state)
{
	(void)state;
	world_watch(NULL, SPEC);
	resolves(LAMBDA_HOST, "3.15.0.1", NULL);
	str_clear(&told);
	credentials_fail("nothing gives any: set AWS_ACCESS_KEY_ID");
	told_is("u not ok: there are no credentials: nothing gives any: set "
		"AWS_ACCESS_KEY_ID\n");
}

static void
test_refused(void **state)
{
	(void)state;
	world_watch(NULL, SPEC);
	str_clear(&told);
	upstream_kind_aws.credentials_refused(world.u.upstream.state);
	told_is("refused\n");
	number_is("aws_credentials_refused", 1);
}

static void
test_secret(void **state)
{
	static struct model_secret other = {
		.type = MODEL_SECRET_AWS,
		.aws = { (char *)"OTHER", (char *)"x", (char *)"t" },
	};
	const struct upstream_kind *kind = &upstream_kind_aws;

	(void)state;
	world_init(NULL);
	world.u.secret = &secret;
	upstream_resume(&world.u.upstream, SECRET);
	told_is("u functions ?\n"
		"asked for credentials: the secret n.aws, of AKID\n");
	resolves(LAMBDA_HOST, "3.15.0.1", NULL);
	str_clear(&told);
	credentials_come(&region_credentials);
	told_is("u credentials 1\nu ok\n");
	/* Another one: the former serve until those are there. */
	world.u.secret = &other;
	kind->secret_changed(world.u.upstream.state);
	told_is("asked for credentials: the secret n.aws, of OTHER\n");
	credentials_come(&region_credentials);
	told_is("u credentials 2\n");
	/* It goes, and nobody else's are taken in its place. */
	world.u.secret = NULL;
	kind->secret_changed(world.u.upstream.state);
	told_is("u credentials -\n");
	assert_null(fake_provider);
	kind->credentials_refused(world.u.upstream.state);
	told_is("");
	world.u.secret = &secret;
	kind->secret_changed(world.u.upstream.state);
	told_is("asked for credentials: the secret n.aws, of AKID\n");
	credentials_come(&region_credentials);
	told_is("u credentials 3\n");
	/* Half of one is none. */
	world.u.secret = &other;
	kind->secret_changed(world.u.upstream.state);
	str_clear(&told);
	credentials_fail("the secret n.aws: there is no secret access key");
	told_is("u credentials -\nu not ok: there are no credentials: the "
		"secret n.aws: there is no secret access key\n");
	number_is("aws_without_credentials", 1);
	credentials_come(&region_credentials);
	credentials_fail(NULL);
	str_clear(&told);
	/* Of what was had, a later trouble takes nothing away. */
	credentials_fail("the file is gone");
	told_is("u note the credentials are not renewed: the file is gone\n");
}

/* What an adopted proxy has is not taken from it before it is known. */
static void
test_secret_not_there(void **state)
{
	struct doc *d = doc_new_map();

	(void)state;
	world_watch(NULL, SECRET);
	told_is("u functions ?\n");
	resolves(LAMBDA_HOST, "3.15.0.1", NULL);
	told_is("u: 3.15.0.1:443(" LAMBDA_HOST ")\nu ok\n");
	upstream_kind_aws.show(world.u.upstream.state, d);
	assert_string_equal(
		doc_string(doc_find(d, "credentials", "problem", NULL)),
		"its secret is not there");
	doc_free(d);
}

static void
test_secret_of_the_spec(void **state)
{
	struct doc *d = yaml(SECRET), *none = yaml(SPEC);
	void *spec = upstream_kind_aws.read(d, NULL);

	(void)state;
	assert_string_equal(upstream_kind_aws.secret(spec)->name, "aws");
	upstream_kind_aws.free(spec);
	spec = upstream_kind_aws.read(none, NULL);
	assert_null(upstream_kind_aws.secret(spec));
	upstream_kind_aws.free(spec);
	doc_free(d);
	doc_free(none);
	world_watch(NULL, SPEC);
}

/* ---- functions */

static const struct region_function two[] = {
	{ "hello", "1", "live", 0, NULL },
	{ "b", NULL, NULL, 0, NULL },
};

#define NAMED                                                                  \
	"{region: us-east-2, lambdaFunctions: [{logicalName: own, "            \
	"lambdaFunctionName: b}, {logicalName: hello, "                        \
	"lambdaFunctionName: hello}]}"

static void
test_discovery(void **state)
{
	(void)state;
	region.functions = two;
	region.count = 2;
	world_init(LABEL);
	world.u.used[0] = "own";
	world.u.used[1] = "b:live";
	world.u.used[2] = "hello";
	upstream_resume(&world.u.upstream, NAMED);
	/* What an earlier run knew stays. */
	told_is("asked for credentials: the environment\n");
	pass(120 * SECOND);
	assert_int_equal(region.asked_count, 0);
	credentials_come(&region_credentials);
	told_is("u credentials 1\n");
	pass(2 * SECOND);
	/* Beside those that the spec names, each once; first whose aliases
	 * are used. */
	told_is("u functions b b:* hello hello:* hello:1 own\n"
		"u functions b hello hello:* hello:1 own\n"
		"u functions b hello hello:1 hello:live own\n");
	number_is("aws_functions", 4);
	resolves(LAMBDA_HOST, "3.15.0.1", NULL);
	told_is("u: 3.15.0.1:443(" LAMBDA_HOST ")\nu ok\n");
	region.list_status = 403;
	region.word = "AccessDenied";
	region.message = "no";
	pass(70 * SECOND);
	told_is("u functions * b hello hello:1 hello:live own\n"
		"u note lambda:ListFunctions is not permitted, so functions "
		"are not discovered as they should be (https://" LAMBDA_HOST
		" answered 403 AccessDenied: no): allow it, or take the "
		"label " LABEL " away\n");
	credentials_fail("STS is gone");
	assert_non_null(strstr(told.data,
		"u note the credentials are not renewed: STS is gone; "
		"lambda:ListFunctions"));
	str_clear(&told);
	region.word = "ExpiredTokenException";
	pass(70 * SECOND);
	assert_non_null(strstr(told.data, "refused\n"));
}

/* Aliases that an earlier run knew are offered until they are read anew. */
static void
test_aliases_of_an_earlier_run(void **state)
{
	(void)state;
	region.functions = two;
	region.count = 2;
	region.alias_status = 403;
	region.word = "AccessDenied";
	region.message = "no";
	world_init(LABEL);
	world.u.known[0] = "gone:live";
	world.u.known[1] = "hello";
	world.u.known[2] = "hello:7";
	world.u.known[3] = "hello:prod";
	upstream_resume(&world.u.upstream, SPEC);
	credentials_come(&region_credentials);
	/* Others may have come since. */
	told_is("u functions * gone:live hello hello:7 hello:prod\n"
		"asked for credentials: the environment\n"
		"u credentials 1\n");
	number_is("aws_functions", 4);
	pass(2 * SECOND);
	assert_non_null(strstr(told.data,
		"u functions b b:* hello hello:* hello:1 hello:prod\n"));
	region.alias_status = 0;
	str_clear(&told);
	pass(90 * SECOND);
	assert_non_null(
		strstr(told.data, "u functions b hello hello:1 hello:live\n"));
}

/* What was found in another region, or as somebody else, says nothing of these:
 * nobody is warned that they are not there. */
static void
test_discovery_elsewhere(void **state)
{
	static const char *const former[] = {
		"{region: us-east-1}",
		"{region: us-east-2, endpointUrl: \"https://vpce.example\"}",
		ROLE("a"),
		SECRET,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(former); i++) {
		watch_edited(LABEL, former[i], SPEC);
		told_is("u functions ?\n"
			"asked for credentials: the environment\n");
		upstream_unwatch(&world.u.upstream);
		str_clear(&told);
	}
	watch_edited(LABEL, "{region: us-east-2, useDualStack: true}", SPEC);
	told_is("asked for credentials: the environment\n");
}

/* Without the label, with another word, with another label nothing is asked. */
static void
test_discovery_is_off(void **state)
{
	(void)state;
	world_watch("discovery.solo.io/other", NAMED);
	told_is("u functions ?\nasked for credentials: the environment\n");
	credentials_come(&region_credentials);
	pass(300 * SECOND);
	assert_int_equal(region.asked_count, 0);
	told_is("u credentials 1\n");
}

/* ---- for people */

static void
test_shown(void **state)
{
	struct aws_credentials c = region_credentials;
	struct doc *d = doc_new_map();
	const struct doc *part;
	struct str text;

	(void)state;
	region.functions = two;
	region.count = 2;
	world_watch(LABEL, SPEC);
	c.expires_ms = 1795701000000;
	credentials_come(&c);
	credentials_fail("STS is gone");
	pass(10 * SECOND);
	upstream_kind_aws.show(world.u.upstream.state, d);
	part = doc_get(d, "credentials");
	assert_string_equal(doc_get_text(part, "source"), "the environment");
	assert_true(doc_bool(doc_get(part, "known")));
	assert_string_equal(
		doc_get_text(part, "expiresAt"), "2026-11-26T13:50:00Z");
	assert_string_equal(doc_get_text(part, "problem"), "STS is gone");
	part = doc_get(d, "discovery");
	assert_int_equal(doc_get_integer(part, "count"), 4);
	assert_in_range(doc_get_integer(part, "ageSeconds"), 8, 10);
	assert_string_equal(
		doc_get_text(doc_at(doc_get(d, "names"), 0), "name"),
		LAMBDA_HOST);
	/* No value of them stands anywhere. */
	str_init(&text);
	json_doc_write(d, 0, &text);
	assert_null(strstr(text.data, REGION_ACCESS_KEY));
	assert_null(strstr(text.data, REGION_SECRET_KEY));
	assert_null(strstr(text.data, "TOK"));
	str_fini(&text);
	doc_free(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_endpoint),
		TEST(test_tls_and_overrides),
		TEST(test_earlier_run),
		TEST(test_another_region),
		TEST(test_fips),
		TEST(test_credentials),
		TEST(test_another_role),
		TEST(test_the_same_role),
		TEST(test_none_at_all),
		TEST(test_refused),
		TEST(test_secret),
		TEST(test_secret_not_there),
		TEST(test_secret_of_the_spec),
		TEST(test_discovery),
		TEST(test_aliases_of_an_earlier_run),
		TEST(test_discovery_elsewhere),
		TEST(test_discovery_is_off),
		TEST(test_shown),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
