/*
 * Tests userspace/net/http_client.c: whom it trusts, and as whom it comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "fake_names.h"
#include "http_calls.h"
#include "tests/lib/certificates.h"

static struct certificate authority, other, api, kubernetes, self, someone;
static struct https_server tls, tls_h1, tls_named, mutual;
static char *locked_key; /* someone's, with a pass phrase */

static const struct certificate_row made[] = {
	{ &authority, NULL, { .name = "authority", .authority = true } },
	{ &other, NULL, { .name = "other", .authority = true } },
	{ &api, &authority,
		{ .name = "server", .names = "IP:127.0.0.1,DNS:api.test" } },
	{ &kubernetes, &authority,
		{ .name = "named", .names = "DNS:kubernetes.test" } },
	{ &self, NULL, { .name = "self", .names = "IP:127.0.0.1" } },
	{ &someone, &authority,
		{ .name = "someone", .purpose = "clientAuth" } },
};

static const struct {
	struct https_server *server;
	struct tls_server_options o;
} servers[] = {
	{ &tls, { .own = &api } },
	{ &tls_h1, { .own = &self, .alpn = "http/1.1" } },
	{ &tls_named, { .own = &kubernetes } },
	{ &mutual, { .own = &api, .wants = &authority } },
};

static int
servers_setup(void **state)
{
	(void)state;
	certificates_make(made, ARRAY_SIZE(made));
	locked_key = certificate_key_locked(&someone, "secret");
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		https_server_start(servers[i].server,
			&(struct https_server_options){ .tls = servers[i].o });
	return 0;
}

static int
servers_teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		https_server_stop(servers[i].server);
	free(locked_key);
	certificates_drop(made, ARRAY_SIZE(made));
	return 0;
}

struct tls_row {
	const char *what;
	const struct https_server *server;
	const char *host, *ca, *cert, *key, *server_name;
	bool insecure;
	const char *problem; /* NULL: path /who answers with body */
	const char *body;
};

static void
tls_row_check(const struct tls_row *row)
{
	struct http_tls t = { .server_name = row->server_name,
		.insecure = row->insecure };
	struct http_request r = { .tls = &t,
		.url = url_of("https", row->host, row->server, "/who") };
	struct seen seen = { .call = NULL };

	if (row->ca != NULL)
		t.ca = slice_of(row->ca);
	if (row->cert != NULL)
		t.cert = slice_of(row->cert);
	if (row->key != NULL)
		t.key = slice_of(row->key);
	exchange(&seen, &r, false);
	if ((row->problem == NULL) != (seen.problem == NULL) ||
		(row->problem == NULL &&
			strcmp(seen.body.data, row->body) != 0) ||
		(row->problem != NULL &&
			strstr(seen.problem, row->problem) == NULL))
		fail_msg("%s: %s: %s", row->what,
			seen.problem == NULL ? "no problem" : seen.problem,
			seen.body.data);
	if (row->problem != NULL)
		assert_int_equal(seen.status, 0);
	seen_fini(&seen);
}

/* All with one client: none takes over a connection of those before that it
 * would not have got by itself. */
static void
test_tls(void **state)
{
	const char *ca = authority.cert_pem;
	const struct tls_row rows[] = {
		{ "the right authority", &tls, "127.0.0.1", ca, NULL, NULL,
			NULL, false, NULL, "nobody" },
		{ "another authority", &tls, "127.0.0.1", other.cert_pem, NULL,
			NULL, NULL, false, "certificate", NULL },
		{ "the system's authorities", &tls, "127.0.0.1", NULL, NULL,
			NULL, NULL, false, "certificate", NULL },
		{ "whoever it is", &tls, "127.0.0.1", other.cert_pem, NULL,
			NULL, NULL, true, NULL, "nobody" },
		{ "but then not", &tls, "127.0.0.1", other.cert_pem, NULL, NULL,
			NULL, false, "certificate", NULL },
		{ "a name of it", &tls, "api.test", ca, NULL, NULL, NULL, false,
			NULL, "nobody" },
		{ "no name of it", &tls, "b.test", ca, NULL, NULL, NULL, false,
			"b.test", NULL },
		{ "another name asked for", &tls, "b.test", ca, NULL, NULL,
			"api.test", false, NULL, "nobody" },
		{ "and without it", &tls, "b.test", ca, NULL, NULL, NULL, false,
			"b.test", NULL },
		{ "a wrong name asked for", &tls, "api.test", ca, NULL, NULL,
			"b.test", false, "b.test", NULL },
		{ "no address of it", &tls_named, "127.0.0.1", ca, NULL, NULL,
			NULL, false, "127.0.0.1", NULL },
		{ "its name, not its address", &tls_named, "127.0.0.1", ca,
			NULL, NULL, "kubernetes.test", false, NULL, "nobody" },
		{ "an address asked for", &tls, "b.test", ca, NULL, NULL,
			"127.0.0.1", false, NULL, "nobody" },
		{ "no such address", &tls, "b.test", ca, NULL, NULL, "::1",
			false, "::1", NULL },
		{ "signed by itself, known", &tls_h1, "127.0.0.1",
			self.cert_pem, NULL, NULL, NULL, false, NULL,
			"nobody" },
		{ "signed by itself, unknown", &tls_h1, "127.0.0.1", ca, NULL,
			NULL, NULL, false, "certificate", NULL },
		{ "no authority", &tls, "127.0.0.1", "no PEM", NULL, NULL, NULL,
			false, "certificate", NULL },
		{ "with a certificate", &mutual, "127.0.0.1", ca,
			someone.cert_pem, someone.key_pem, NULL, false, NULL,
			"someone" },
		{ "without", &mutual, "127.0.0.1", ca, NULL, NULL, NULL, false,
			"certificate", NULL },
		{ "one that it does not know", &mutual, "127.0.0.1", ca,
			self.cert_pem, someone.key_pem, NULL, false, "", NULL },
		{ "a key with a pass phrase", &mutual, "127.0.0.1", ca,
			someone.cert_pem, locked_key, NULL, false, "", NULL },
		{ "no key", &mutual, "127.0.0.1", ca, someone.cert_pem, NULL,
			NULL, false, "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tls_row_check(&rows[i]);
}

/* The client's roots: for who names none, from the next call on. */
static void
test_roots(void **state)
{
	const struct tls_row trusted = { "its roots", &tls, "127.0.0.1", NULL,
		NULL, NULL, NULL, false, NULL, "nobody" };
	const struct tls_row strange = { "not of its roots", &tls, "127.0.0.1",
		NULL, NULL, NULL, NULL, false, "certificate", NULL };
	const struct tls_row own = { "a CA of the call's own", &tls,
		"127.0.0.1", other.cert_pem, NULL, NULL, NULL, false,
		"certificate", NULL };
	char file[] = "/tmp/http-client-roots-XXXXXX";

	(void)state;
	close(mkstemp(file));
	assert_int_equal(file_replace(file, authority.cert_pem,
				 strlen(authority.cert_pem), 0600, NULL),
		0);
	http_client_trust(client, file);
	tls_row_check(&trusted);
	tls_row_check(&own);
	http_client_trust(client, NULL);
	tls_row_check(&strange);
	unlink(file);
}

static void
test_cert_and_key_in_one(void **state)
{
	char *both = xasprintf("%s%s", someone.key_pem, someone.cert_pem);
	struct tls_row row = { "both in one", &mutual, "127.0.0.1",
		authority.cert_pem, both, NULL, NULL, false, NULL, "someone" };

	(void)state;
	tls_row_check(&row);
	free(both);
}

static void
test_server_name_and_host(void **state)
{
	struct http_tls t = { .ca = certificate_text(&authority),
		.server_name = "api.test" };
	struct http_request r = { .tls = &t,
		.url = url_of("https", "b.test", &tls, "/echo") };
	static const char *const own[] = { "Host: own.test", NULL };
	struct seen seen = { .call = NULL };
	char host[64];

	(void)state;
	snprintf(host, sizeof(host), "\r\nHost: b.test:%u\r\n", tls.port);
	exchange(&seen, &r, false);
	expect_problem(&seen, NULL);
	assert_non_null(strstr(seen.body.data, host));
	seen_fini(&seen);
	r.headers = own;
	exchange(&seen, &r, false);
	assert_non_null(strstr(seen.body.data, "\r\nHost: own.test\r\n"));
	seen_fini(&seen);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_TEST(test_tls),
		CALL_TEST(test_roots),
		CALL_TEST(test_cert_and_key_in_one),
		CALL_TEST(test_server_name_and_host),
	};

	return cmocka_run_group_tests(tests, servers_setup, servers_teardown);
}
