/* Tests userspace/cli/cmd_check.c: what is well, and a list of what is not. */
#include "command_cases.h"

static const struct command_case cases[] = {
	{ "check: all is well, and how XDP is attached", "check", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"upstreams\",\"errors\":[],"
			  "\"warnings\":[]},{\"name\":\"kernel\",\"errors\":[],"
			  "\"warnings\":[]}]}",
			  false },
			{ "GET /v1/status", 200,
				"{\"kernel\":{\"state\":\"enforced\","
				"\"interfaces\":[{\"name\":\"gg0\",\"attached\""
				":true,\"mode\":\"native\",\"dispatcher\":true,"
				"\"adopted\":false,\"problem\":\"\"}],"
				"\"mapBytes\":1048576,\"steering\":\"a worker "
				"by hash\",\"migration\":"
				"\"net.ipv4.tcp_migrate_req\"}}",
				false },
			END },
		CLI_OK,
		"Checking upstreams... OK\n"
		"Checking kernel... OK\n"
		"  gg0: native mode, by libxdp's dispatcher\n"
		"  maps: 1048576 bytes\n"
		"  new connections go to a worker by hash\n"
		"  a listener that closes hands on what waits in it: "
		"net.ipv4.tcp_migrate_req\n"
		"No problems detected.\n",
		"", NULL },
	{ "check: a numbered list of what is wrong", "check", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"upstreams\",\"errors\":["
			  "\"a is wrong\",\"b is wrong\"],\"warnings\":[\"c\"]}"
			  ",{\"name\":\"proxies\",\"errors\":[],\"warnings\":["
			  "]}]}",
			  false },
			{ "GET /v1/status", 200, "{}", false }, END },
		CLI_REJECTED,
		"Checking upstreams... 2 Errors!\n"
		"Checking proxies... OK\n"
		"1. upstreams: a is wrong\n"
		"2. upstreams: b is wrong\n"
		"3. upstreams: warning: c\n",
		"", NULL },
	{ "check: warnings only", "check", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"upstreams\",\"errors\":[],"
			  "\"warnings\":[\"c\"]}]}",
			  false },
			{ "GET /v1/status", 200, "{}", false }, END },
		CLI_WARNING,
		"Checking upstreams... 1 Warning!\n"
		"1. upstreams: warning: c\n",
		"", NULL },
	{ "check: each part of a cluster, and what is missing", "check", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"kubernetes\",\"errors\":[],"
			  "\"warnings\":[\"permissions: list pods: the account "
			  "may not\"],\"notes\":[\"clock: well\","
			  "\"gateways: the cluster does not define them\"]}]}",
			  false },
			{ "GET /v1/status", 200, "{}", false }, END },
		CLI_WARNING,
		"Checking kubernetes... 1 Warning!\n"
		"  clock: well\n"
		"  gateways: the cluster does not define them\n"
		"1. kubernetes: warning: permissions: list pods: the account "
		"may not\n",
		"", NULL },
	{ "check: what is shared by the upstreams of Consul", "check", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"consul\",\"errors\":[],"
			  "\"warnings\":[],\"notes\":[\"catalog: well\"]}]}",
			  false },
			{ "GET /v1/status", 200, "{}", false }, END },
		CLI_OK,
		"Checking consul... OK\n"
		"  catalog: well\n"
		"No problems detected.\n",
		"", NULL },
	{ "check --list names the objects", "check --list", NULL,
		{ { "GET /v1/check", 200,
			  "{\"areas\":[{\"name\":\"virtual services\"}]}",
			  false },
			{ "GET /v1/status", 200,
				"{\"objects\":[{\"type\":\"virtualservices\","
				"\"namespace\":\"gloo-system\",\"name\":\"a\","
				"\"state\":\"Warning\",\"reason\":\"b\"}]}",
				false },
			END },
		CLI_OK,
		"virtual services: each is accepted, and what it refers to is "
		"there\n"
		"  gloo-system.a: Warning, b\n",
		"", NULL },
};

static void
test_check(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
