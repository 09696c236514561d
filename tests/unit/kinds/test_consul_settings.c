/* Tests userspace/kinds/consul/settings.c and address.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "kinds/consul/address.h"
#include "kinds/consul/agent.h"
#include "kinds/consul/settings.h"

static struct consul_settings *
read_text(const char *yaml, struct error *err)
{
	struct doc *d = yaml_doc_read(yaml, strlen(yaml), err);
	struct consul_settings *s;

	if (d == NULL)
		fail_msg("%s: %s", yaml, err->text);
	s = consul_settings_read(d, err);
	assert_int_equal(consul_settings_check(d, NULL), s == NULL ? -1 : 0);
	doc_free(d);
	return s;
}

static struct consul_settings *
good(const char *yaml)
{
	struct error err = ERROR_INIT;
	struct consul_settings *s = read_text(yaml, &err);

	if (s == NULL)
		fail_msg("%s: %s", yaml, err.text);
	return s;
}

static void
test_defaults(void **state)
{
	struct consul_settings *s = good("{}");

	(void)state;
	assert_string_equal(s->http_address, "127.0.0.1:8500");
	assert_null(s->datacenter);
	assert_null(s->token);
	assert_null(s->token_file);
	assert_null(s->ca_file);
	assert_false(s->insecure_skip_verify.value);
	assert_false(s->wait_time.given);
	assert_int_equal(s->wait_time.ms, 300000);
	assert_int_equal(s->connections_max, 150);
	assert_false(s->discovery.given);
	assert_int_equal(s->discovery.datacenter_count, 0);
	consul_settings_free(s);
	consul_settings_free(NULL);
	s = consul_settings_read(NULL, NULL);
	assert_non_null(s);
	consul_settings_free(s);
}

static void
test_all_keys(void **state)
{
	struct consul_settings *s =
		good("httpAddress: https://consul.internal:8501\n"
		     "dataCenter: dc1\n"
		     "tokenFile: consul/token\n"
		     "caFile: ca.pem\ncertFile: c.pem\nkeyFile: k.pem\n"
		     "insecureSkipVerify: false\n"
		     "waitTime: 2m\nmaxConnections: 20\n"
		     "serviceDiscovery:\n"
		     "  dataCenters: [dc1, dc2]\n"
		     "  splitByTag: true\n"
		     "  tagsInclude: [public, two words]\n"
		     "  tagsExclude: [old]\n"
		     "  consistencyMode: StaleMode\n");

	(void)state;
	assert_string_equal(s->http_address, "https://consul.internal:8501");
	assert_string_equal(s->datacenter, "dc1");
	assert_string_equal(s->token_file, "consul/token");
	assert_string_equal(s->ca_file, "ca.pem");
	assert_string_equal(s->cert_file, "c.pem");
	assert_string_equal(s->key_file, "k.pem");
	assert_true(s->wait_time.given);
	assert_int_equal(s->wait_time.ms, 120000);
	assert_int_equal(s->connections_max, 20);
	assert_true(s->discovery.given);
	assert_int_equal(s->discovery.datacenter_count, 2);
	assert_string_equal(s->discovery.datacenters[1], "dc2");
	assert_true(s->discovery.per_tag);
	assert_int_equal(s->discovery.include_count, 2);
	assert_string_equal(s->discovery.include_tags[1], "two words");
	assert_int_equal(s->discovery.exclude_count, 1);
	assert_int_equal(s->discovery.consistency, CONSUL_STALE);
	consul_settings_free(s);
}

static void
test_discovery_is_asked_for(void **state)
{
	struct consul_settings *s = good("serviceDiscovery: {}");

	(void)state;
	assert_true(s->discovery.given);
	assert_int_equal(s->discovery.consistency, CONSUL_DEFAULT);
	consul_settings_free(s);
	s = good("serviceDiscovery: null");
	assert_false(s->discovery.given);
	consul_settings_free(s);
}

static void
test_what_is_refused(void **state)
{
	static const struct {
		const char *yaml, *why;
	} cases[] = {
		{ "x: 1", "unknown key \"x\"" },
		{ "dnsAddress: 127.0.0.1:8600", ".dnsAddress: " },
		{ "username: u", ".username: " },
		{ "httpAddress: consul", ".httpAddress: expected a port" },
		{ "dataCenter: 'a b'", ".dataCenter: \"a b\" is not a token" },
		{ "token: ''", ".token: must not be empty" },
		{ "token: a\ntokenFile: b",
			".tokenFile: there is a token, too" },
		{ "keyFile: k", ".keyFile: needs certFile" },
		{ "caFile: ca", ".httpAddress: caFile, certFile" },
		{ "insecureSkipVerify: true", ".httpAddress: caFile, cert" },
		{ "httpAddress: unix:///s\ncertFile: c", ".httpAddress: ca" },
		{ "waitTime: 500ms", ".waitTime: " },
		{ "waitTime: 11m", ".waitTime: " },
		{ "maxConnections: 0", ".maxConnections: " },
		{ "maxConnections: -1", ".maxConnections: " },
		{ "serviceDiscovery: 1", ".serviceDiscovery: expected a map" },
		{ "serviceDiscovery: {dataCenters: [a, b, a]}",
			".serviceDiscovery.dataCenters[2]: \"a\" is given "
			"twice" },
		{ "serviceDiscovery: {tagsInclude: [a], tagsExclude: [b, a]}",
			".serviceDiscovery.tagsExclude[1]: \"a\" is in "
			"tagsInclude" },
		{ "serviceDiscovery: {tagsInclude: ['']}",
			".serviceDiscovery.tagsInclude[0]: expected a text" },
		{ "serviceDiscovery: {consistencyMode: Fresh}",
			".serviceDiscovery.consistencyMode: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT;
		struct consul_settings *s = read_text(cases[i].yaml, &err);

		if (s != NULL)
			fail_msg("%s is taken", cases[i].yaml);
		if (strncmp(err.text, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("%s: %s", cases[i].yaml, err.text);
	}
}

/* Whatever is wrong with it, nobody reads it in a log. */
static void
test_no_token_in_a_message(void **state)
{
	static const char *const texts[] = { "token: 's3cr3t x'",
		"token: 's3cr3t\xc3\xbc'", "token: s3cr3t\ntokenFile: f",
		"token: [s3cr3t]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = ERROR_INIT;

		assert_null(read_text(texts[i], &err));
		assert_null(strstr(err.text, "s3cr3t"));
	}
}

/* ---- where it is */

static void
test_addresses(void **state)
{
	static const struct {
		const char *text, *base, *unix_socket;
		bool tls;
	} cases[] = {
		{ "127.0.0.1:8500", "http://127.0.0.1:8500", NULL, false },
		{ "consul:1", "http://consul:1", NULL, false },
		{ "[::1]:8500", "http://[::1]:8500", NULL, false },
		{ "http://consul.internal", "http://consul.internal", NULL,
			false },
		{ "https://consul.internal:8501",
			"https://consul.internal:8501", NULL, true },
		{ "https://h/consul/", "https://h/consul", NULL, true },
		{ "http://[2001:db8::1]/", "http://[2001:db8::1]", NULL,
			false },
		{ "unix:///run/consul.sock", "http://localhost",
			"/run/consul.sock", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_INIT;
		struct consul_address at;

		if (consul_address_read(cases[i].text, &at, &err) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_string_equal(at.base, cases[i].base);
		if (cases[i].unix_socket == NULL)
			assert_null(at.unix_socket);
		else
			assert_string_equal(
				at.unix_socket, cases[i].unix_socket);
		assert_int_equal(at.tls, cases[i].tls);
		consul_address_fini(&at);
	}
}

static void
test_no_addresses(void **state)
{
	static const char *const texts[] = { "", ":", "consul", ":8500",
		"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
		"127.0.0.1:123456", "127.0.0.1:8x", "::1:8500", "[::1]",
		"[::1]8500", "[::1", "[]:1", "http://", "https:///x",
		"ftp://h:1", "http://u:p@h:1", "http://h:1?a", "http://h:1#a",
		"http://h:1/a b", "http://h:1/%2e", "h:1\n", "unix://run",
		"unix://", "unix:///a\nb", "a b:1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct error err = ERROR_INIT;
		struct consul_address at;

		if (consul_address_read(texts[i], &at, &err) == 0)
			fail_msg("\"%s\" is taken", texts[i]);
		assert_true(err.text[0] != '\0');
		assert_null(at.base);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_discovery_is_asked_for),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_no_token_in_a_message),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_no_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
