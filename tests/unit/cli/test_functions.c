/* Tests what is shown of functions and credentials (userspace/cli/function.c,
 * describe_endpoints.c): tables of upstreams, routes and virtual services. */
#include "command_cases.h"

#include "base/json.h"
#include "cli/describe.h"

#define TO(spec)                                                               \
	"{\"matchers\":[{\"prefix\":\"/f\"}],\"routeAction\":{\"single\":{"    \
	"\"destinationSpec\":" spec ",\"upstream\":{\"name\":\"up\","          \
	"\"namespace\":\"gloo-system\"}}}}"
#define LAMBDA_ROUTE TO("{\"aws\":{\"logicalName\":\"hello:1\"}}")
#define AZURE_ROUTE  TO("{\"azure\":{\"functionName\":\"orders\"}}")

/* ---- where a route leads to */

static const struct {
	const char *route, *action;
} actions[] = {
	{ LAMBDA_ROUTE, "up (hello:1)" },
	{ AZURE_ROUTE, "up (orders)" },
	{ TO("{\"aws\":{\"unwrapAsAlb\":true}}"), "up" },
	{ TO("{\"aws\":{\"logicalName\":1}}"), "up" },
	{ TO("{\"aws\":null}"), "up" },
	{ TO("{\"kube\":{\"logicalName\":\"x\"}}"), "up" },
	{ TO("{\"zebra\":{\"logicalName\":\"x\"}}"), "up" },
	{ TO("{}"), "up" },
	{ TO("[]"), "up" },
};

static void
test_action(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		struct doc *route = json_doc_read(
			actions[i].route, strlen(actions[i].route), NULL);
		struct str text;

		assert_non_null(route);
		str_init(&text);
		describe_action(route, upstream_kinds, &text);
		assert_string_equal(text.data, actions[i].action);
		str_fini(&text);
		doc_free(route);
	}
}

static const struct command_case cases[] = {
	{ "get virtualservice route -o wide names the function",
		"get vs route default -o wide", NULL,
		{ { "GET " DEFAULT, 200, VS(LAMBDA_ROUTE), false }, END },
		CLI_OK,
		"Route Action\n"
		"+----+---------+-------------+------+--------+--------------+"
		"-------+--------------+------+\n"
		"| ID | MATCHER |    TYPE     | VERB | HEADER |    ACTION    |"
		" QUERY | DESTINATION  | NAME |\n"
		"+----+---------+-------------+------+--------+--------------+"
		"-------+--------------+------+\n"
		"| 0  | /f      | Path Prefix | *    |        | route action |"
		"       | up (hello:1) |      |\n"
		"+----+---------+-------------+------+--------+--------------+"
		"-------+--------------+------+\n",
		"", NULL },
	{ "get virtualservice names the function", "get vs default", NULL,
		{ { "GET " DEFAULT, 200, VS(AZURE_ROUTE), false }, END },
		CLI_OK,
		"+-----------------+---------+------+----------+---------+-----"
		"--------------+\n"
		"| VIRTUAL SERVICE | DOMAINS | SSL  |  STATUS  | PLUGINS |     "
		" ROUTES       |\n"
		"+-----------------+---------+------+----------+---------+-----"
		"--------------+\n"
		"| default         | *       | none | Accepted |         | /f -"
		"> up (orders) |\n"
		"+-----------------+---------+------+----------+---------+-----"
		"--------------+\n",
		"", NULL },
	{ "remove route -i names the function", "remove route -i",
		"default\n2\n1: /f -> up (orders)\n",
		{ { SERVICES, 200, ITEMS(VS(LAMBDA_ROUTE "," AZURE_ROUTE)),
			  false },
			{ "GET " DEFAULT, 200, VS(LAMBDA_ROUTE "," AZURE_ROUTE),
				false },
			{ "PUT " DEFAULT, 200,
				VERDICT("Accepted", "", VS(LAMBDA_ROUTE)),
				false },
			END },
		CLI_OK, NULL,
		"\"2\" is none of: 0: /f -> up (hello:1), 1: /f -> up "
		"(orders)\n",
		"\"routes\":[" LAMBDA_ROUTE "]" },
};

static void
test_commands(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

/* ---- what /v1/endpoints has of them */

#define ITEM(name, members)                                                    \
	"{\"namespace\":\"ns\",\"name\":\"" name "\",\"count\":0,"             \
	"\"endpoints\":[]" members "}"
#define OBJECT(name)                                                           \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\"}}"

/* The part of the tables from head on, up to the next one. */
static void
tables_have(const char *items, const char *want)
{
	static const char objects[] =
		"[" OBJECT("a") "," OBJECT("b") "," OBJECT("c") "]";
	struct doc *d = json_doc_read(items, strlen(items), NULL);
	struct doc *all = json_doc_read(objects, strlen(objects), NULL);
	struct str text;

	assert_non_null(d);
	assert_non_null(all);
	str_init(&text);
	describe_endpoints(d, all, &text);
	if (strstr(text.data, want) == NULL)
		fail_msg("%s---\n%s", text.data, want);
	str_fini(&text);
	doc_free(all);
	doc_free(d);
}

static void
test_functions(void **state)
{
	(void)state;
	tables_have(
		"[" ITEM("a",
			",\"functions\":[\"hello\",\"hello:1\"]") "," ITEM("b",
			",\"functions\":[]") "," ITEM("c",
			",\"functions\":{\"problem\":\"not "
			"permitted\"}") "," ITEM("d",
			",\"functions\":[\"of another\"]") "]",
		"Functions\n"
		"+----------+-----------+---------------+\n"
		"| UPSTREAM | FUNCTION  |      WHY      |\n"
		"+----------+-----------+---------------+\n"
		"| ns.a     | hello     |               |\n"
		"|          | hello:1   |               |\n"
		"| ns.b     | none      |               |\n"
		"| ns.c     | not known | not permitted |\n"
		"+----------+-----------+---------------+\n"
		"In use\n");
}

/* Twenty of them, and how many there are more. */
static void
test_many_functions(void **state)
{
	struct str items;

	(void)state;
	str_init(&items);
	str_puts(&items,
		"[{\"namespace\":\"ns\",\"name\":\"a\",\"functions\":[");
	for (int i = 0; i < 23; i++)
		str_printf(&items, "%s\"f%02d\"", i > 0 ? "," : "", i);
	str_puts(&items, "]}]");
	tables_have(items.data, "|          | f19        |     |\n"
				"|          | and 3 more |     |\n"
				"+----------+------------+-----+\n");
	str_fini(&items);
}

static void
test_credentials(void **state)
{
	(void)state;
	tables_have(
		"[" ITEM("a",
			",\"credentials\":{\"source\":\"instance metadata\","
			"\"known\":true,\"expiresAt\":\"2026-11-27T00:00:"
			"00Z\"}") "," ITEM("b",
			",\"credentials\":{\"source\":\"the secret ns.aws\","
			"\"known\":false}") "," ITEM("c",
			",\"credentials\":{\"known\":false,\"problem\":"
			"\"no source has any\"}") "]",
		"Credentials\n"
		"+----------+-------+-------------------+----------------------"
		"+--------------------+\n"
		"| UPSTREAM |  FOR  |      SOURCE       |        EXPIRE        "
		"|        WHY         |\n"
		"+----------+-------+-------------------+----------------------"
		"+--------------------+\n"
		"| ns.a     | calls | instance metadata | 2026-11-27T00:00:00Z "
		"|                    |\n"
		"| ns.b     | calls | the secret ns.aws |                      "
		"| there are none yet |\n"
		"| ns.c     | calls |                   |                      "
		"| no source has any  |\n"
		"+----------+-------+-------------------+----------------------"
		"+--------------------+\n");
	tables_have("[" ITEM("a",
			    ",\"keysFrom\":\"the management API\",\"tokens\":[{"
			    "\"of\":\"the management API\",\"source\":\"IMDS\","
			    "\"problem\":\"404\"}]") "," ITEM("b", "") "]",
		"Credentials\n"
		"+----------+--------------------+--------------------+--------"
		"+-----+\n"
		"| UPSTREAM |        FOR         |       SOURCE       | EXPIRE "
		"| WHY |\n"
		"+----------+--------------------+--------------------+--------"
		"+-----+\n"
		"| ns.a     | calls              | the management API |        "
		"|     |\n"
		"|          | the management API | IMDS               |        "
		"| 404 |\n"
		"+----------+--------------------+--------------------+--------"
		"+-----+\n");
	/* No keys, but what is to be said of the calls. */
	tables_have("[" ITEM("a", ",\"keysNote\":\"not taken\",\"tokens\":[{"
				  "\"of\":\"them\",\"source\":\"IMDS\"}]") "]",
		"Credentials\n"
		"+----------+-------+--------+--------+-----------+\n"
		"| UPSTREAM |  FOR  | SOURCE | EXPIRE |    WHY    |\n"
		"+----------+-------+--------+--------+-----------+\n"
		"| ns.a     | calls |        |        | not taken |\n"
		"|          | them  | IMDS   |        |           |\n"
		"+----------+-------+--------+--------+-----------+\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_action),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_many_functions),
		cmocka_unit_test(test_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
