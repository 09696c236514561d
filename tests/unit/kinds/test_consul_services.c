/* The services of a data centre: what is read, and what they make. */
#include "told.h"

#include "base/mem.h"
#include "kinds/consul/services.h"

static void
services_read(struct consul_services *s, const char *json)
{
	struct error err = ERROR_INIT;

	if (consul_services_read(slice_of(json), s, &err) != 0)
		fail_msg("%s", err.text);
}

static void
services_tell(const struct consul_services *s)
{
	for (size_t i = 0; i < s->count; i++) {
		str_puts(&told, s->items[i].name);
		for (size_t t = 0; t < s->items[i].tag_count; t++)
			str_printf(&told, " %s", s->items[i].tags[t]);
		str_putc(&told, '\n');
	}
}

static void
test_read(void **state)
{
	struct consul_services s;

	(void)state;
	services_read(&s, "{\"web\":[\"b\",\"a\",\"b\",7,null],\"consul\":[],"
			  "\"api\":null,\"x\":{\"a\":1}}");
	services_tell(&s);
	told_is("api\nconsul\nweb a b\nx\n");
	assert_non_null(consul_services_find(&s, "web"));
	assert_null(consul_services_find(&s, "we"));
	consul_services_fini(&s);
	services_read(&s, "{}");
	assert_int_equal(s.count, 0);
	assert_null(consul_services_find(&s, "web"));
	consul_services_fini(&s);
}

static void
test_read_refused(void **state)
{
	static const char *const bad[] = { "", "[]", "null", "\"web\"",
		"{\"web\":[}", "{\"web\":[]", "{\"a\":[],\"a\":[]}",
		"No cluster leader" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = ERROR_INIT;
		struct consul_services s;

		assert_int_equal(
			consul_services_read(slice_of(bad[i]), &s, &err), -1);
		assert_int_not_equal(err.code, ERROR_NONE);
	}
}

static void
test_read_too_many(void **state)
{
	struct error err = ERROR_INIT;
	struct consul_services s;
	struct str json;

	(void)state;
	str_init(&json);
	for (int i = 0; i <= CONSUL_SERVICES_MAX; i++)
		str_printf(&json, "%c\"s%d\":[]", i == 0 ? '{' : ',', i);
	str_putc(&json, '}');
	assert_int_equal(
		consul_services_read(
			(struct slice){ json.data, json.length }, &s, &err),
		-1);
	assert_int_equal(err.code, ERROR_LIMIT);
	str_fini(&json);
}

static void
test_keep(void **state)
{
	struct consul_services now, old;

	(void)state;
	services_read(&now, "{\"b\":[\"new\"],\"d\":[]}");
	services_read(&old, "{\"a\":[],\"b\":[\"old\"],\"c\":[\"t\"]}");
	consul_services_keep(&now, &old);
	services_tell(&now);
	told_is("a\nb new\nc t\nd\n");
	assert_int_equal(old.count, 0);
	consul_services_fini(&now);
	consul_services_fini(&old);
}

/* ---- what they make */

static void
test_makes(void **state)
{
	static char *include[] = { (char *)"edge", (char *)"web" };
	static char *exclude[] = { (char *)"private" };
	static const struct {
		const char *json;
		size_t include, exclude;
		bool makes;
	} rows[] = {
		{ "{\"web\":[]}", 0, 0, true },
		{ "{\"consul\":[]}", 0, 0, true },
		{ "{\"web-sidecar-proxy\":[]}", 0, 0, false },
		{ "{\"-sidecar-proxy\":[]}", 0, 0, true },
		{ "{\"web\":[]}", 2, 0, false },
		{ "{\"web\":[\"web\"]}", 2, 0, true },
		{ "{\"web\":[\"a\",\"edge\"]}", 2, 1, true },
		{ "{\"web\":[\"edge\",\"private\"]}", 2, 1, false },
		{ "{\"web\":[\"Private\"]}", 0, 1, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct consul_settings settings = {
			.discovery = { .include_tags = include,
				.include_count = rows[i].include,
				.exclude_tags = exclude,
				.exclude_count = rows[i].exclude },
		};
		struct consul_services s;

		services_read(&s, rows[i].json);
		if (consul_service_makes(&s.items[0], &settings) !=
			rows[i].makes)
			fail_msg("%s", rows[i].json);
		consul_services_fini(&s);
	}
}

static void
test_tag_makes(void **state)
{
	static char *include[] = { (char *)"v1" };
	struct consul_settings s = { .discovery = { .per_tag = true } };

	(void)state;
	assert_true(consul_service_tag_makes(&s, "v1"));
	assert_false(consul_service_tag_makes(&s, ""));
	s.discovery.include_tags = include;
	s.discovery.include_count = 1;
	assert_true(consul_service_tag_makes(&s, "v1"));
	assert_false(consul_service_tag_makes(&s, "v2"));
	s.discovery.per_tag = false;
	assert_false(consul_service_tag_makes(&s, "v1"));
}

static void
test_names(void **state)
{
	static const struct {
		const char *service, *tag, *name;
	} rows[] = {
		{ "web", NULL, "web" },
		{ "web", "v1", "web-v1" },
		{ "Web_API.v2", NULL, "web-api-v2" },
		{ "-web-", NULL, "web" },
		{ "a/b c", NULL, "a-b-c" },
		{ "w\xc3\xa9"
		  "b",
			NULL, "w--b" },
		{ "web", "traefik.enable=true", "web-traefik-enable-true" },
		/* md5 of "___" */
		{ "___", NULL, "consul-948a13f1eb402f8ff16472e217608fb6" },
		{ "a23456789012345678901234567890123456789012345678901234567890"
		  "123",
			NULL,
			"a23456789012345678901234567890123456789012345678901234"
			"567890123" },
	};
	char name[UPSTREAM_NAME_MAX], other[UPSTREAM_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		consul_upstream_name(rows[i].service, rows[i].tag, name);
		assert_string_equal(name, rows[i].name);
	}
	/* One byte more: told apart by what is cut away. */
	consul_upstream_name("a2345678901234567890123456789012345678901234567"
			     "89012345678901234",
		NULL, name);
	consul_upstream_name("a2345678901234567890123456789012345678901234567"
			     "89012345678901235",
		NULL, other);
	assert_int_equal(strlen(name), UPSTREAM_NAME_MAX - 1);
	assert_int_equal(strncmp(name, other, 31), 0);
	assert_string_not_equal(name, other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_refused),
		cmocka_unit_test(test_read_too_many),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_makes),
		cmocka_unit_test(test_tag_makes),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, told_setup, told_teardown);
}
