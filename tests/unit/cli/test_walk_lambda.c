/* Tests the commands of the walkthrough about AWS Lambda as they stand there,
 * and every byte that it shows of what they ask and print. */
#include "command_cases.h"

#define SECRET "/v1/secrets/gloo-system/aws"
#define HELLO                                                                  \
	"{\"discoveryMetadata\":{},\"metadata\":{\"name\":\"hello-lambda\","   \
	"\"namespace\":\"gloo-system\",\"resourceVersion\":\"3\"},"            \
	"\"upstreamSpec\":{\"aws\":{\"region\":\"us-east-2\",\"secretRef\":{"  \
	"\"name\":\"aws\",\"namespace\":\"gloo-system\"}}}}"
#define SECRET_SHOWN                                                           \
	"{\"metadata\":{\"name\":\"aws\",\"namespace\":\"gloo-system\"},"      \
	"\"aws\":{\"accessKey\":null,\"secretKey\":null},\"status\":{"         \
	"\"secret\":{\"type\":\"AWS\",\"usedBy\":[]}}}"

static const struct step {
	const char *line, *input;
	struct fake_row rows[ROW_MAX];
	const char *out;        /* all of it, or NULL */
	const char *err, *sent; /* all of both */
} steps[] = {
	{ "create secret aws -i", "\naws\nAKIDEXAMPLE\nwJalrXUtnFEMI\n",
		{ { "GET /v1/status", 200, "{}", false },
			{ "PUT " SECRET, 200,
				VERDICT("Accepted", "", SECRET_SHOWN), false },
			END },
		NULL,
		"? Please choose a namespace gloo-system\n"
		"? name of secret aws\n"
		"? Enter AWS Access Key ID (leave empty to read credentials "
		"from ~/.aws/credentials):  ...\n"
		"? Enter AWS Secret Key (leave empty to read credentials from "
		"~/.aws/credentials):  ...\n",
		"GET /v1/status\n"
		"GET " SECRET "\n"
		"GET /v1/secrets\n"
		"PUT " SECRET " {\"aws\":{\"accessKey\":\"AKIDEXAMPLE\","
		"\"secretKey\":\"wJalrXUtnFEMI\"},\"metadata\":{\"name\":"
		"\"aws\",\"namespace\":\"gloo-system\"}}\n" },
	{ "create upstream -i",
		"aws\nus-east-2\ngloo-system.aws\ngloo-system\nhello-lambda\n",
		{ { "GET /v1/secrets", 200, ITEMS(SECRET_SHOWN), false },
			{ "PUT " LAMBDA, 200, VERDICT("Accepted", "", HELLO),
				false },
			END },
		"+--------------+------+----------+-------------------------+\n"
		"|   UPSTREAM   | TYPE |  STATUS  |         DETAILS         |\n"
		"+--------------+------+----------+-------------------------+\n"
		"| hello-lambda | AWS  | Accepted | region: us-east-2       |\n"
		"|              |      |          | secret: gloo-system.aws |\n"
		"|              |      |          |                         |\n"
		"+--------------+------+----------+-------------------------+"
		"\n",
		"? What type of Upstream do you want to create? aws\n"
		"? What region are the AWS services in for this upstream? "
		"us-east-2\n"
		"? Choose an AWS credentials secret to link to this upstream:  "
		"gloo-system.aws\n"
		"? namespace: gloo-system\n"
		"? name: hello-lambda\n",
		"GET /v1/secrets\n"
		"GET " LAMBDA "\n"
		"GET /v1/upstreams\n"
		"PUT " LAMBDA " {\"metadata\":{\"name\":\"hello-lambda\","
		"\"namespace\":\"gloo-system\"},\"upstreamSpec\":{\"aws\":{"
		"\"region\":\"us-east-2\",\"secretRef\":{\"name\":\"aws\","
		"\"namespace\":\"gloo-system\"}}}}\n" },
	{ "add route --path-prefix /lambda --dest-name hello-lambda "
	  "--function hello-world:1",
		NULL,
		{ { "GET " LAMBDA, 200, HELLO, false },
			{ SERVICES, 200, ITEMS(""), false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Accepted", "",
					VS("{\"matchers\":[{\"prefix\":"
					   "\"/lambda\"}],\"routeAction\":{"
					   "\"single\":{\"destinationSpec\":{"
					   "\"aws\":{\"logicalName\":"
					   "\"hello-world:1\"}},\"upstream\":{"
					   "\"name\":\"hello-lambda\","
					   "\"namespace\":\"gloo-system\"}}}"
					   "}")),
				false },
			END },
		"+-----------------+---------+------+----------+---------+-----"
		"---------------------------+\n"
		"| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  | PLUGINS |     "
		"        ROUTES             |\n"
		"+-----------------+---------+------+----------+---------+-----"
		"---------------------------+\n"
		"| default         | *       | none | Accepted |         | /lam"
		"bda -> hello-lambda        |\n"
		"|                 |         |      |          |         | (hel"
		"lo-world:1)                |\n"
		"+-----------------+---------+------+----------+---------+-----"
		"---------------------------+\n",
		"creating virtualservice default with default domain *\n",
		"GET " LAMBDA "\n"
		"GET /v1/virtualservices\n"
		"GET " DEFAULT "\n"
		"GET /v1/virtualservices\n"
		"PUT " DEFAULT " {\"metadata\":{\"name\":\"default\","
		"\"namespace\":\"gloo-system\"},\"virtualHost\":{\"domains\":["
		"\"*\"],\"routes\":[{\"matchers\":[{\"prefix\":\"/lambda\"}],"
		"\"routeAction\":{\"single\":{\"destinationSpec\":{\"aws\":{"
		"\"logicalName\":\"hello-world:1\"}},\"upstream\":{\"name\":"
		"\"hello-lambda\",\"namespace\":\"gloo-system\"}}}}]}}\n" },
};

static void
step_run(const struct step *s)
{
	struct fake_result r;
	struct fake fake;
	char *log;

	fake_start(&fake, s->rows);
	r = fake_run(fake.socket, s->line, s->input);
	log = fake_log(&fake);
	assert_int_equal(r.status, CLI_OK);
	assert_string_equal(r.err, s->err);
	if (s->out != NULL)
		assert_string_equal(r.out, s->out);
	assert_string_equal(log, s->sent);
	assert_null(strstr(r.out, "wJalrXUtnFEMI"));
	free(log);
	fake_result_fini(&r);
	fake_stop(&fake);
}

static void
test_walk(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		step_run(&steps[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
