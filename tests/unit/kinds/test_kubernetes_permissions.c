/* Tests how the account's rules are asked for, that each one missing is named,
 * and that the server's clock is compared with ours. */
#include "kubernetes_fake.h"

#include <stdio.h>

#include "kinds/kubernetes/permissions.h"

#define RULES  "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews "
#define ACCESS "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews "
#define RULES_OF(ns)                                                           \
	RULES "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"          \
	      "\"SelfSubjectRulesReview\",\"spec\":{\"namespace\":\"" ns       \
	      "\"}}"
#define GRANTS(rows) "{\"status\":{\"resourceRules\":[" rows "]}}"
#define ALL                                                                    \
	"{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"verbs\":[\"*\"]}"
#define CORE_BUT_LIST                                                          \
	"{\"apiGroups\":[\"\",\"discovery.k8s.io\"],\"resources\":[\"*\"],"    \
	"\"verbs\":[\"get\",\"watch\"]},"                                      \
	"{\"apiGroups\":[\"discovery.k8s.io\"],\"resources\":[\"*\"],"         \
	"\"verbs\":[\"list\"]}"

static char ns[] = "gloo-system", service[] = "gateway-proxy";
static struct kubernetes_settings settings = { .namespace_ = ns,
	.service = service };
static struct kind_program program = { .condition_set = on_condition };
static struct kubernetes_cluster cluster = { .program = &program,
	.settings = &settings };

static void
test_all_granted(void **state)
{
	struct kubernetes_permissions *p;

	(void)state;
	p = kubernetes_permissions_new(&cluster);
	/* Not before open has returned. */
	assert_null(fake_calls);
	pass(0);
	call_is(RULES_OF("gloo-gateway-everywhere"));
	answer(fake_calls, 201, GRANTS(ALL));
	told_is("");
	call_is(RULES_OF("gloo-system"));
	answer(fake_calls, 201, GRANTS(ALL));
	told_is("");
	/* And again, after ten minutes. */
	assert_null(fake_calls);
	pass(599999);
	assert_null(fake_calls);
	pass(1);
	call_is(RULES_OF("gloo-gateway-everywhere"));
	kubernetes_permissions_free(p);
	fake_end();
}

/* What the first answer leaves out is asked for by itself. */
static void
test_missing(void **state)
{
	struct kubernetes_permissions *p;

	(void)state;
	p = kubernetes_permissions_new(&cluster);
	pass(0);
	answer(fake_calls, 201, GRANTS(CORE_BUT_LIST));
	answer(fake_calls, 201, GRANTS(ALL));
	/* list services, of which the server knows better */
	assert_non_null(strstr(fake_calls->path, "selfsubjectaccessreviews"));
	answer(fake_calls, 201, "{\"status\":{\"allowed\":true}}");
	/* list endpoints */
	call_is(ACCESS
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":"
		"\"SelfSubjectAccessReview\",\"spec\":{\"resourceAttributes\":"
		"{\"group\":\"\",\"resource\":\"endpoints\",\"verb\":\"list\"}}"
		"}");
	answer(fake_calls, 201, "{\"status\":{}}");
	told_is("permissions warning: list endpoints: the account "
		"may not; `glooctl install kube` grants it\n");
	/* It is looked again in a minute; a refusal lets it look earlier. */
	pass(45000);
	assert_null(fake_calls);
	kubernetes_permissions_again(p);
	pass(9999);
	assert_null(fake_calls);
	pass(1);
	answer(fake_calls, 201, GRANTS(ALL));
	answer(fake_calls, 201, GRANTS(ALL));
	told_is("permissions ok\n");
	kubernetes_permissions_free(p);
	fake_end();
}

/* Refusals without end lead to one look in ten seconds. */
static void
test_refusals(void **state)
{
	struct kubernetes_permissions *p;
	size_t before;

	(void)state;
	p = kubernetes_permissions_new(&cluster);
	pass(0);
	kubernetes_permissions_again(p);
	answer(fake_calls, 201, GRANTS(ALL));
	answer(fake_calls, 201, GRANTS(ALL));
	before = fake_call_count;
	for (int i = 0; i < 100; i++) {
		kubernetes_permissions_again(p);
		pass(1000);
		if (fake_calls != NULL)
			answer(fake_calls, 201, GRANTS(ALL));
		if (fake_calls != NULL)
			answer(fake_calls, 201, GRANTS(ALL));
	}
	assert_in_range(fake_call_count - before, 16, 20);
	kubernetes_permissions_free(p);
	kubernetes_permissions_again(NULL);
	kubernetes_permissions_free(NULL);
	fake_end();
}

/* That there is no answer is for others to say; nothing is taken back. */
static void
test_no_answer(void **state)
{
	struct kubernetes_permissions *p;

	(void)state;
	p = kubernetes_permissions_new(&cluster);
	pass(0);
	answer(fake_calls, 0, NULL);
	told_is("");
	pass(29999);
	assert_null(fake_calls);
	pass(1);
	answer(fake_calls, 500, "{\"kind\":\"Status\"}");
	told_is("");
	pass(30000);
	answer(fake_calls, 201, "[]");
	told_is("");
	pass(30000);
	answer(fake_calls, 403, "{\"kind\":\"Status\"}");
	told_is("permissions note: the account's rules cannot be asked for: "
		"the server said 403\n");
	kubernetes_permissions_free(p);
	fake_end();
}

static void
test_clock(void **state)
{
	static const struct {
		int64_t ahead_ms; /* of us */
		const char *told;
	} rows[] = {
		{ 0, "" },
		{ 60000, "" },
		{ -60000, "" },
		{ 60001,
			"clock warning: the clock of this box is 60 s behind "
			"the API server's: tokens and certificates may not be "
			"valid yet, or any more\n" },
		{ -3600000,
			"clock warning: the clock of this box is 3600 s ahead "
			"of the API server's: tokens and certificates may not "
			"be valid yet, or any more\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kubernetes_permissions *p =
			kubernetes_permissions_new(&cluster);

		pass(0);
		fake_date_ms = clock_realtime_ms() + (uint64_t)rows[i].ahead_ms;
		answer(fake_calls, 201, GRANTS(ALL));
		fake_date_ms = 0;
		answer(fake_calls, 201, GRANTS(ALL));
		told_is(rows[i].told);
		kubernetes_permissions_free(p);
		fake_end();
	}
}

/* An answer that took long says little of the time. */
static void
test_clock_late(void **state)
{
	struct kubernetes_permissions *p;

	(void)state;
	p = kubernetes_permissions_new(&cluster);
	pass(0);
	fake_date_ms = clock_realtime_ms() - 100000;
	pass(30001);
	answer(fake_calls, 201, GRANTS(ALL));
	fake_date_ms = 0;
	told_is("");
	kubernetes_permissions_free(p);
	fake_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_granted),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_clock_late),
	};

	str_init(&told);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
