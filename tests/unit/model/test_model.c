/* Types, names and shared ownership of model objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/model.h"

static void
test_type_parse(void **state)
{
	static const struct {
		const char *word;
		int type; /* -1: none */
	} rows[] = {
		{ "upstreams", MODEL_UPSTREAM },
		{ "upstream", MODEL_UPSTREAM },
		{ "Upstream", MODEL_UPSTREAM },
		{ "us", MODEL_UPSTREAM },
		{ "u", MODEL_UPSTREAM },
		{ "upstreamgroup", MODEL_UPSTREAM_GROUP },
		{ "ug", MODEL_UPSTREAM_GROUP },
		{ "ugs", MODEL_UPSTREAM_GROUP },
		{ "virtualservice", MODEL_VIRTUAL_SERVICE },
		{ "virtualservices", MODEL_VIRTUAL_SERVICE },
		{ "VirtualService", MODEL_VIRTUAL_SERVICE },
		{ "vs", MODEL_VIRTUAL_SERVICE },
		{ "gateway", MODEL_GATEWAY },
		{ "gateways", MODEL_GATEWAY },
		{ "gw", MODEL_GATEWAY },
		{ "v", -1 },
		{ "", -1 },
		{ "proxies", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum model_type type;
		int rc = model_type_parse(rows[i].word, &type);

		if (rc != (rows[i].type < 0 ? -1 : 0) ||
			(rc == 0 && (int)type != rows[i].type))
			fail_msg("\"%s\"", rows[i].word);
	}
}

static void
test_type_names(void **state)
{
	(void)state;
	for (int t = 0; t < MODEL_TYPE_COUNT; t++) {
		enum model_type type = (enum model_type)t, back;

		assert_int_equal(
			model_type_parse(model_type_plural(type), &back), 0);
		assert_int_equal(back, type);
		assert_int_equal(
			model_type_parse(model_type_kind(type), &back), 0);
		assert_int_equal(back, type);
	}
}

static void
test_name_valid(void **state)
{
	char long_name[255];
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
		{ "a", true },
		{ "default-httpbin-8000", true },
		{ "0.a-b", true },
		{ "", false },
		{ ".", false },
		{ "..", false },
		{ "../a", false },
		{ "a/b", false },
		{ "a.", false },
		{ ".a", false },
		{ "-a", false },
		{ "a-", false },
		{ "A", false },
		{ "a b", false },
		{ "a_b", false },
		{ "\xc3\xa4", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (model_name_valid(rows[i].name) != rows[i].valid)
			fail_msg("\"%s\"", rows[i].name);
	memset(long_name, 'a', sizeof(long_name));
	long_name[253] = '\0';
	assert_true(model_name_valid(long_name));
	long_name[253] = 'a';
	long_name[254] = '\0';
	assert_false(model_name_valid(long_name));
}

static void
test_refs(void **state)
{
	struct model_object *o = xcalloc(1, sizeof(*o));

	(void)state;
	o->type = MODEL_GATEWAY;
	o->refs = 1;
	o->gateway = xcalloc(1, sizeof(*o->gateway));
	o->gateway->meta.name = xstrdup("a");
	assert_ptr_equal(model_object_ref(o), o);
	model_object_unref(o);
	assert_string_equal(o->meta->name, "a");
	model_object_unref(o);
	model_object_unref(NULL);
	model_upstream_free(NULL);
	model_virtual_service_free(NULL);
	model_gateway_free(NULL);
}

static void
test_tcp_defaults(void **state)
{
	struct model_tcp_host host = { .protocol = MODEL_TCP };
	struct model_tcp_gateway tcp = { .hosts = &host, .host_count = 1 };

	(void)state;
	assert_int_equal(model_tcp_idle_ms(&tcp), 3600000);
	assert_int_equal(model_tcp_drain_ms(&tcp), 900000);
	assert_int_equal(model_tcp_attempts(&tcp), 3);
	host.protocol = MODEL_UDP;
	assert_int_equal(model_tcp_idle_ms(&tcp), 30000);
	tcp.idle_timeout = (struct model_duration){ true, 5000 };
	assert_int_equal(model_tcp_idle_ms(&tcp), 5000);
	host.idle_timeout = (struct model_duration){ true, 7000 };
	assert_int_equal(model_tcp_idle_ms(&tcp), 7000);
	host.drain_timeout = (struct model_duration){ true, 5000 };
	assert_int_equal(model_tcp_drain_ms(&tcp), 5000);
	tcp.connect_attempts = (struct model_u32){ true, 1 };
	assert_int_equal(model_tcp_attempts(&tcp), 1);
	assert_string_equal(model_steer_name(MODEL_STEER_DSR_L2), "dsr-l2");
	assert_string_equal(model_steer_name(MODEL_STEER_IPIP), "ipip");
	assert_string_equal(model_steer_name(MODEL_STEER_GUE), "gue");
	assert_string_equal(model_l4_name(MODEL_UDP), "UDP");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_type_parse),
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_name_valid),
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_tcp_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
