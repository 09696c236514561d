/* Hashes lead requests to the same endpoint. */
#include "tests/unit/proxy/failures.h"

static void
request_with(char *out, size_t size, const char *path, const char *name,
	const char *value, int number)
{
	snprintf(out, size,
		"GET %s HTTP/1.1\r\nHost: h\r\n%s: %s%d\r\n"
		"Connection: close\r\n\r\n",
		path, name, value, number);
}

static void
header_leads(const char *path)
{
	int got[3] = { 0 };
	char request[256], who[30];

	for (int i = 0; i < 30; i++) {
		request_with(request, sizeof(request), path, "X-User", "u", i);
		who[i] = ask_who(request);
		got[who[i] - 'a']++;
	}
	assert_true(got[0] > 0 && got[1] > 0 && got[2] > 0);
	generation_next();
	for (int i = 0; i < 30; i++) {
		request_with(request, sizeof(request), path, "x-user", "u", i);
		assert_int_equal(ask_who(request), who[i]);
	}
	/* Without the header there is nothing to go by. */
	request_with(request, sizeof(request), path, "x-other", "u", 1);
	ask_who(request);
}

static void
a_header_leads_to_an_endpoint(void **state)
{
	(void)state;
	origins_answer_by_name();
	header_leads("/header");
	header_leads("/maglev");
}

/* What Connection names ends at the gateway: its value leads nowhere. */
static void
a_header_of_the_hop_does_not_lead(void **state)
{
	int got[3] = { 0 };
	char request[256];

	(void)state;
	origins_answer_by_name();
	request_with(request, sizeof(request), "/header",
		"Connection: X-User\r\nX-User", "u", 1);
	for (int i = 0; i < 30; i++)
		got[ask_who(request) - 'a']++;
	assert_true(got[0] < 30 && got[1] < 30 && got[2] < 30);
}

static bool
second_header_counts(const char *path)
{
	int got[3] = { 0 };
	char request[256];

	for (int i = 0; i < 30; i++) {
		request_with(request, sizeof(request), path,
			"X-User: same\r\nX-More", "m", i);
		got[ask_who(request) - 'a']++;
	}
	return got[0] < 30 && got[1] < 30 && got[2] < 30;
}

static void
a_terminal_policy_is_the_last(void **state)
{
	char request[256];

	(void)state;
	origins_answer_by_name();
	assert_true(second_header_counts("/two"));
	assert_false(second_header_counts("/first"));
	/* It ends the list only when it gives a hash. */
	request_with(request, sizeof(request), "/first", "X-More", "m", 1);
	turns(request, 1, ask_who(request) == 'a', ask_who(request) == 'b',
		ask_who(request) == 'c');
}

static void
a_source_leads_to_an_endpoint(void **state)
{
	char who;

	(void)state;
	origins_answer_by_name();
	who = ask_who(GET("/source"));
	turns(GET("/source"), 12, who == 'a' ? 12 : 0, who == 'b' ? 12 : 0,
		who == 'c' ? 12 : 0);
}

static void
a_cookie_brings_a_client_back(void **state)
{
	static const char name[] = "\r\nset-cookie: stay=";
	static const char rest[] = "; Max-Age=60; Path=/cookie; HttpOnly\r\n";
	int got_by[3] = { 0 };
	struct str got;

	(void)state;
	str_init(&got);
	origins_answer_by_name();
	for (int i = 0; i < 12; i++) {
		char request[256], value[17];
		const char *set;
		char who;

		ask(GET("/cookie"), &got);
		who = got.data[got.length - 1];
		got_by[who - 'a']++;
		set = strstr(got.data, name);
		assert_non_null(set);
		set += strlen(name);
		assert_int_equal(strcspn(set, ";"), 16);
		assert_memory_equal(set + 16, rest, strlen(rest));
		memcpy(value, set, 16);
		value[16] = '\0';
		snprintf(request, sizeof(request),
			"GET /cookie/x HTTP/1.1\r\nHost: h\r\n"
			"Cookie: other=1; stay=%s; stay2=z\r\n"
			"Connection: close\r\n\r\n",
			value);
		for (int k = 0; k < 3; k++) {
			ask(request, &got);
			assert_null(strstr(got.data, "set-cookie"));
			assert_int_equal(got.data[got.length - 1], who);
		}
	}
	assert_true(got_by[0] < 12 && got_by[1] < 12 && got_by[2] < 12);
	str_fini(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_leads_to_an_endpoint),
		cmocka_unit_test(a_header_of_the_hop_does_not_lead),
		cmocka_unit_test(a_terminal_policy_is_the_last),
		cmocka_unit_test(a_source_leads_to_an_endpoint),
		cmocka_unit_test(a_cookie_brings_a_client_back),
	};

	return cmocka_run_group_tests(tests, group_start, group_stop);
}
