/* Tests userspace/cli/cmd_create.c: what is sent, asked and answered. */
#include "command_cases.h"

#define MYSQL "/v1/gateways/gloo-system/mysql"
#define AWS_TABLE                                                              \
	"+--------------+------+----------+-------------------------+\n"       \
	"|   UPSTREAM   | TYPE |  STATUS  |         DETAILS         |\n"       \
	"+--------------+------+----------+-------------------------+\n"       \
	"| hello-lambda | AWS  | Accepted | region: us-east-2       |\n"       \
	"|              |      |          | secret: gloo-system.aws |\n"       \
	"|              |      |          |                         |\n"       \
	"+--------------+------+----------+-------------------------+\n"

static const struct command_case cases[] = {
	{ "create upstream static sends it and prints the verdict",
		"create upstream aws --name hello-lambda --aws-region us-east-2"
		" --aws-secret-name aws --aws-secret-namespace gloo-system",
		NULL,
		{ { "PUT " LAMBDA, 200, VERDICT("Accepted", "", AWS), false },
			END },
		CLI_OK, AWS_TABLE, "",
		"PUT " LAMBDA
		" {\"metadata\":{\"name\":\"hello-lambda\",\"namespace\":"
		"\"gloo-system\"},\"upstreamSpec\":{\"aws\":{\"region\":"
		"\"us-east-2\",\"secretRef\":{\"name\":\"aws\",\"namespace\":"
		"\"gloo-system\"}}}}\n" },
	{ "create upstream -i: the post's questions", "create upstream -i",
		"aws\nus-east-2\ngloo-system.aws\n\n"
		"hello-lambda\n",
		{ { "PUT " LAMBDA, 200, VERDICT("Accepted", "", AWS), false },
			END },
		CLI_OK, AWS_TABLE,
		"? What type of Upstream do you want to create? aws\n"
		"? What region are the AWS services in for this upstream? "
		"us-east-2\n"
		"? Choose an AWS credentials secret to link to this upstream:  "
		"gloo-system.aws\n"
		"? namespace: gloo-system\n"
		"? name: hello-lambda\n",
		NULL },
	{ "create upstream aws: all of its flags, and its functions looked for",
		"create upstream aws hello-lambda --aws-role-arn "
		"arn:aws:iam::123456789012:role/r --aws-use-fips "
		"--aws-overrides unwrapAsAlb=true,invocationStyle=ASYNC "
		"--function-discovery",
		NULL,
		{ { "PUT " LAMBDA, 200, VERDICT("Accepted", "", AWS), false },
			END },
		CLI_OK, AWS_TABLE, "",
		"PUT " LAMBDA " {\"metadata\":{\"labels\":{"
		"\"discovery.solo.io/function_discovery\":\"enabled\"},"
		"\"name\":\"hello-lambda\",\"namespace\":\"gloo-system\"},"
		"\"upstreamSpec\":{\"aws\":{\"destinationOverrides\":{"
		"\"invocationStyle\":\"ASYNC\",\"unwrapAsAlb\":true},"
		"\"roleArn\":\"arn:aws:iam::123456789012:role/r\","
		"\"useFips\":true}}}\n" },
	{ "create upstream: functions of a kind that has none",
		"create upstream static a --static-hosts a "
		"--function-discovery",
		NULL, { END }, CLI_USAGE, "",
		"--function-discovery: upstreams of kind static have no "
		"functions; leave it out\n",
		NULL },
	{ "create upstream azure: its secret, and its functions not looked for",
		"create upstream azure fx --azure-app-name app --azure-secret "
		"other.keys --function-discovery=false",
		NULL,
		{ { "PUT /v1/upstreams/gloo-system/fx", 200,
			  VERDICT("Accepted", "", AZURE), false },
			END },
		CLI_OK, NULL, "",
		"{\"metadata\":{\"labels\":{"
		"\"discovery.solo.io/function_discovery\":\"disabled\"},"
		"\"name\":\"fx\",\"namespace\":\"gloo-system\"},"
		"\"upstreamSpec\":{\"azure\":{\"functionAppName\":\"app\","
		"\"secretRef\":{\"name\":\"keys\",\"namespace\":\"other\"}}}"
		"}" },
	{ "create upstream azure -i", "create upstream -i",
		"azure\napp\nother.keys\n\nfx\n",
		{ { "PUT /v1/upstreams/gloo-system/fx", 200,
			  VERDICT("Accepted", "", AZURE), false },
			END },
		CLI_OK,
		"+----------+-------+----------+------------------------+\n"
		"| UPSTREAM | TYPE  |  STATUS  |        DETAILS         |\n"
		"+----------+-------+----------+------------------------+\n"
		"| fx       | Azure | Accepted | function app name: app |\n"
		"|          |       |          | secret: <None>         |\n"
		"|          |       |          | functions:             |\n"
		"|          |       |          | - orders               |\n"
		"|          |       |          |                        |\n"
		"+----------+-------+----------+------------------------+\n",
		"? What type of Upstream do you want to create? azure\n"
		"? What is the name of the Azure Functions app to associate "
		"with this upstream? app\n"
		"? Choose an Azure credentials secret to link to this "
		"upstream:  other.keys\n"
		"? namespace: gloo-system\n"
		"? name: fx\n",
		NULL },
	{ "create upstream -i: the input ends too early", "create upstream -i",
		"static\n10.0.0.1:80\n", { END }, CLI_USAGE, "",
		"the input ended before the question", NULL },
	{ "create of what exists is refused",
		"create virtualservice --name default", NULL,
		{ { "GET " DEFAULT, 200, VS(""), false }, END }, CLI_USAGE, "",
		"there is a virtual service named \"default\" already", NULL },
	{ "create virtualservice: domains",
		"create virtualservice default --domains a.example,b.example "
		"--domains c.example",
		NULL,
		{ { "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
			  false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"\"virtualHost\":{\"domains\":[\"a.example\",\"b.example\","
		"\"c.example\"]}" },
	{ "create virtualservice: Gloo's flags of rate limiting",
		"create virtualservice default --enable-rate-limiting "
		"--rate-limit-requests 5 --rate-limit-time-unit HOUR",
		NULL,
		{ { "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
			  false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"\"options\":{\"ratelimitBasic\":{\"anonymousLimits\":{"
		"\"requestsPerUnit\":5,\"unit\":\"HOUR\"}}}" },
	{ "create virtualservice: what the flags leave out",
		"create virtualservice default --enable-rate-limiting", NULL,
		{ { "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
			  false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "",
		"{\"requestsPerUnit\":100,\"unit\":\"MINUTE\"}" },
	{ "create virtualservice: a rate without the switch",
		"create virtualservice default --rate-limit-requests 5", NULL,
		{ END }, CLI_USAGE, "", "add --enable-rate-limiting", NULL },
	{ "create virtualservice -i asks for domains until an empty one",
		"create virtualservice -i", "a.example\n\n\ndefault\n",
		{ { "PUT " DEFAULT, 200, VERDICT("Accepted", "", VS("")),
			  false },
			END },
		CLI_OK, VS_EMPTY_TABLE, "? name: default\n",
		"\"domains\":[\"a.example\"]" },
	{ "create upstream: what it cannot be without",
		"create upstream consul --name web", NULL, { END }, CLI_USAGE,
		"", "--consul-service is missing; with -i it is asked for",
		NULL },
	{ "create upstream: a list that may not be empty",
		"create upstream static --name web", NULL, { END }, CLI_USAGE,
		"", "--static-hosts is missing; with -i it is asked for",
		NULL },
	{ "create upstream -i asks until there is a host that is one",
		"create upstream static web -i --dry-run",
		"\na:0\n10.0.0.1\n\n\n",
		{ { "PUT /v1/upstreams/gloo-system/web?dryRun=true", 422,
			  "{\"state\":\"Rejected\",\"reason\":\"no\"}", false },
			END },
		CLI_REJECTED, "",
		"? Add another host for this upstream (empty to skip)? \n"
		"at least one is needed\n"
		"? Add another host for this upstream (empty to skip)? a:0\n"
		"\"a:0\" has no port from 1 to 65535 behind \":\"\n"
		"? Add another host for this upstream (empty to skip)? 10.0.0.1"
		"\n"
		"? Add another host for this upstream (empty to skip)? \n",
		"\"hosts\":[{\"addr\":\"10.0.0.1\"}]" },
	{ "create gateway: an address of HTTP",
		"create gateway mysql --bind-address 10.0.0.1 --bind-port 81",
		NULL,
		{ { "PUT " MYSQL, 200, VERDICT("Accepted", "", TCP_GATEWAY),
			  false },
			END },
		CLI_OK, TCP_TABLE, "",
		"PUT " MYSQL " {\"bindAddress\":\"10.0.0.1\",\"bindPort\":81,"
		"\"metadata\":{\"name\":\"mysql\",\"namespace\":"
		"\"gloo-system\"}}\n" },
	{ "create gateway: a service",
		"create gateway mysql --bind-port 3306 -u db --mode relay",
		NULL,
		{ { "PUT " MYSQL, 200, VERDICT("Accepted", "", TCP_GATEWAY),
			  false },
			END },
		CLI_OK, TCP_TABLE, "",
		"{\"bindAddress\":\"::\",\"bindPort\":3306,\"metadata\":{"
		"\"name\":\"mysql\",\"namespace\":\"gloo-system\"},"
		"\"tcpGateway\":{\"tcpHosts\":[{\"destination\":{\"single\":"
		"{\"upstream\":{\"name\":\"db\",\"namespace\":"
		"\"gloo-system\"}}},\"mode\":\"relay\",\"name\":\"mysql\"}"
		"]}}\n" },
	{ "create gateway: a mode without an upstream",
		"create gateway mysql --mode nat", NULL, { END }, CLI_USAGE, "",
		"name the upstream with --dest-name", NULL },
	{ "create gateway: a port that is none",
		"create gateway mysql --bind-port 70000", NULL, { END },
		CLI_USAGE, "", "--bind-port", NULL },
	{ "Rejected: exit status 3, the reason, nothing printed",
		"create virtualservice other", NULL,
		{ { "PUT /v1/virtualservices/gloo-system/other", 422,
			  "{\"state\":\"Rejected\",\"reason\":\"the domain is "
			  "taken by default\"}",
			  false },
			END },
		CLI_REJECTED, "", "rejected: the domain is taken by default\n",
		NULL },
	{ "not enforced in time: exit status 4",
		"create virtualservice default", NULL,
		{ { "PUT " DEFAULT, 202,
			  "{\"state\":\"Pending\",\"reason\":\"\","
			  "\"generation\":9,\"proxy\":\"down\",\"kernel\":"
			  "\"off\",\"resource\":" VS("") "}",
			  false },
			END },
		CLI_PENDING, NULL,
		"pending: stored, but generation 9 is not enforced yet (proxy: "
		"down, kernel: off)",
		NULL },
	{ "the store is full: refused", "create virtualservice default", NULL,
		{ { "PUT " DEFAULT, 507, "{\"error\":\"no space left\"}",
			  false },
			END },
		CLI_REJECTED, "", "rejected: no space left\n", NULL },
};

static void
test_create(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
