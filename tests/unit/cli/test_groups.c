/* glooctl and upstream groups: create, get, delete, routes that lead there. */
#include "command_cases.h"

#define GROUPS "GET /v1/upstreamgroups"
#define CANARY "/v1/upstreamgroups/gloo-system/canary"
#define TO(ns, name, weight)                                                   \
	"{\"destination\":{\"upstream\":{\"name\":\"" name                     \
	"\",\"namespace\":\"" ns "\"}},\"weight\":" weight "}"
#define GROUP(destinations)                                                    \
	"{\"destinations\":[" destinations                                     \
	"],\"metadata\":{\"name\":\"canary\",\"namespace\":\"gloo-system\"},"  \
	"\"status\":{\"reportedBy\":\"gloo\",\"state\":\"Accepted\"}}"
#define TWO    TO("gloo-system", "cart-v1", "95") "," TO("shop", "a.b", "5")
#define SUBSET                                                                 \
	"{\"destination\":{\"subset\":{\"values\":{\"stage\":\"prod\","        \
	"\"version\":\"v1\"}},\"upstream\":{\"name\":\"cart\",\"namespace\":"  \
	"\"gloo-system\"}},\"weight\":3}"
#define ROUTED(action)                                                         \
	"{\"matchers\":[{\"prefix\":\"/cart\"}],\"routeAction\":" action "}"
#define TO_GROUP                                                               \
	"{\"upstreamGroup\":{\"name\":\"canary\",\"namespace\":\"shop\"}}"

static const struct command_case cases[] = {
	{ "create sends what the flag says, in its order",
		"create upstreamgroup canary --weighted-upstreams "
		"gloo-system.cart-v1=95,shop.a.b=5 -o json",
		NULL,
		{ { "PUT " CANARY, 200, VERDICT("Accepted", "", GROUP(TWO)),
			  false },
			END },
		CLI_OK, NULL, "",
		"PUT " CANARY " {\"destinations\":[" TWO
		"],\"metadata\":{\"name\":\"canary\",\"namespace\":"
		"\"gloo-system\"}}" },
	{ "the flag may be given more than once",
		"create ug --name canary --weighted-upstreams "
		"gloo-system.cart-v1=95 --weighted-upstreams shop.a.b=5 "
		"-o name",
		NULL,
		{ { "PUT " CANARY, 200, VERDICT("Accepted", "", GROUP(TWO)),
			  false },
			END },
		CLI_OK, "canary\n", "", "\"destinations\":[" TWO "]" },
	{ "create -i: upstreams until there are no more",
		"create upstreamgroup -i -o name",
		"gloo-system.default-httpbin-8000\nx\n7\n\n\ncanary\n",
		{ { UPSTREAMS, 200, ITEMS(KUBE "," AWS), false },
			{ "PUT " CANARY, 200,
				VERDICT("Accepted", "", GROUP("")), false },
			END },
		CLI_OK, NULL,
		"? What weight shall gloo-system.default-httpbin-8000 have? x\n"
		"\"x\" is not a weight, which is a whole number\n"
		"? What weight shall gloo-system.default-httpbin-8000 have? "
		"7\n",
		"\"destinations\":[" TO(
			"gloo-system", "default-httpbin-8000", "7") "]" },
	{ "create without upstreams", "create upstreamgroup canary", NULL,
		{ END }, CLI_USAGE, "", "--weighted-upstreams is missing",
		NULL },
	{ "create -i without upstreams", "create upstreamgroup canary -i",
		"\n", { { UPSTREAMS, 200, ITEMS(KUBE), false }, END },
		CLI_USAGE, "", "--weighted-upstreams is missing", NULL },
	{ "no namespace", "create ug canary --weighted-upstreams a=1", NULL,
		{ END }, CLI_USAGE, "",
		"\"a=1\" is not of the form namespace.name=weight", NULL },
	{ "no weight", "create ug canary --weighted-upstreams a.b=1,a.c", NULL,
		{ END }, CLI_USAGE, "",
		"\"a.c\" is not of the form namespace.name=weight", NULL },
	{ "a weight that is none",
		"create ug canary --weighted-upstreams a.b=-1", NULL, { END }, CLI_USAGE, "", "a.b: \"-1\" is not a weight",
		NULL },
	{ "a weight that no number holds",
		"create ug canary --weighted-upstreams a.b=4294967296", NULL,
		{ END }, CLI_USAGE, "", "is not a weight", NULL },
	{ "create of one that exists",
		"create ug canary --weighted-upstreams a.b=1", NULL,
		{ { "GET " CANARY, 200, GROUP(TWO), false }, END }, CLI_USAGE,
		"", "there is an upstream group named \"canary\" already",
		NULL },
	{ "delete names it, and who is left", "delete upstreamgroup canary",
		NULL,
		{ { "GET " CANARY, 200, GROUP(TWO), false },
			{ "DELETE " CANARY, 200,
				"{\"state\":\"Warning\",\"reason\":\"it is "
				"still routed to by gloo-system.default\"}",
				false },
			END },
		CLI_WARNING, "upstream group gloo-system.canary deleted\n",
		"warning: it is still routed to by gloo-system.default\n",
		NULL },
	{ "names alone", "get ugs -o name", NULL,
		{ { GROUPS, 200, ITEMS(GROUP(TWO)), false }, END }, CLI_OK,
		"canary\n", "", NULL },
	{ "the Kubernetes form", "get upstreamgroup canary -o kube-yaml", NULL,
		{ { "GET " CANARY, 200, GROUP(TO("shop", "a", "1")), false },
			END },
		CLI_OK,
		"apiVersion: gloo.solo.io/v1\nkind: UpstreamGroup\nmetadata:\n"
		"  name: canary\n  namespace: gloo-system\nspec:\n"
		"  destinations:\n  - destination:\n      upstream:\n"
		"        name: a\n        namespace: shop\n    weight: 1\n"
		"status:\n  reportedBy: gloo\n  state: Accepted\n",
		"", NULL },
	{ "a route to a group",
		"add route -p /cart --upstream-group-name canary "
		"--upstream-group-namespace shop --name default -o json",
		NULL,
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, "", "\"routes\":[" ROUTED(TO_GROUP) "]" },
	{ "a group or an upstream",
		"add route -p / -u a --upstream-group-name canary", NULL,
		{ END }, CLI_USAGE, "",
		"only one of --dest-name and --upstream-group-name", NULL },
	{ "a group has no functions",
		"add route -p / --function f --upstream-group-name canary",
		NULL, { END }, CLI_USAGE, "",
		"only one of --function and --upstream-group-name", NULL },
	{ "add route -i does not ask for an upstream where a group is given",
		"add route -i --upstream-group-name canary -o json",
		"default\n\npath-prefix\n/cart\n\n\nn\n",
		{ { "GET " DEFAULT, 200, VS(""), false },
			{ "PUT " DEFAULT, 200, VERDICT("Accepted", "", "{}"),
				false },
			END },
		CLI_OK, NULL, NULL,
		"\"upstreamGroup\":{\"name\":\"canary\",\"namespace\":"
		"\"gloo-system\"}" },
};

static void
test_cases(void **state)
{
	(void)state;
	command_cases_run(cases, ARRAY_SIZE(cases));
}

/* The cells of the last column, without frame and title. */
static char *
last_column(const char *table)
{
	struct str out;
	bool title = true;

	str_init(&out);
	for (const char *line = table; *line != '\0';) {
		size_t length = strcspn(line, "\n");
		const char *end = line + length;
		const char *cell;

		if (*line == '|' && title) {
			title = false;
		} else if (*line == '|') {
			end -= 2; /* " |" */
			cell = end;
			while (cell[-1] != '|')
				cell--;
			cell++;
			while (end > cell && end[-1] == ' ')
				end--;
			str_append(&out, cell, (size_t)(end - cell));
			str_puts(&out, "\n");
		}
		line += length + (line[length] == '\n');
	}
	return str_steal(&out);
}

static void
printed_is(const char *line, const struct fake_row *rows, const char *want)
{
	struct fake_result r;
	struct fake fake;
	char *got;

	fake_start(&fake, rows);
	r = fake_run(fake.socket, line, NULL);
	got = last_column(r.out);
	if (r.status != CLI_OK || strcmp(got, want) != 0)
		fail_msg("%s: %d\n%s---\n%s", line, r.status, r.out, r.err);
	free(got);
	fake_result_fini(&r);
	fake_stop(&fake);
}

static void
test_table(void **state)
{
	const struct fake_row rows[] = {
		{ GROUPS, 200, ITEMS(GROUP(TWO) "," GROUP(SUBSET)), false },
		END
	};

	(void)state;
	printed_is("get upstreamgroups", rows,
		"destination type: Upstream\n"
		"namespace: gloo-system\n"
		"name: cart-v1\n"
		"weight: 95   % total: 95.00\n"
		"\n"
		"destination type: Upstream\n"
		"namespace: shop\n"
		"name: a.b\n"
		"weight: 5   % total: 5.00\n"
		"---\n"
		"destination type: Upstream\n"
		"namespace: gloo-system\n"
		"name: cart\n"
		"subset: {stage:prod,\n"
		"version:v1}\n"
		"weight: 3   % total: 100.00\n");
}

static void
test_route_words(void **state)
{
	const struct fake_row rows[] = {
		{ "GET " DEFAULT, 200, VS(ROUTED(TO_GROUP)), false },
		END
	};

	(void)state;
	printed_is("get virtualservice default", rows,
		"/cart -> upstream group:\n"
		"shop.canary\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_route_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
