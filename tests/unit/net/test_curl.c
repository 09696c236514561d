/*
 * Tests userspace/net/curl.c, and that calls end as they should where libcurl
 * cannot be loaded. A program of its own: once loaded, it stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/curl.h"
#include "net/http_client.h"
#include "net/loop.h"

static struct loop *loop;
static char *problem;

static void
on_done(struct http_call *call, const struct http_result *result, void *arg)
{
	(void)call;
	(void)arg;
	free(problem);
	problem = xstrdup(result->problem == NULL ? "" : result->problem);
	loop_stop(loop);
}

/* Asks for something, twice, and gives up the second time. */
static void
ask(const char *library, const char *why)
{
	const struct http_request r = { .url = "http://127.0.0.1:1/" };
	const struct http_events events = { .done = on_done };
	struct http_client *client = http_client_new(loop);

	curl_library = library;
	http_call_new(client, &r, &events, NULL);
	loop_run(loop);
	assert_non_null(strstr(problem, why));
	http_call_cancel(http_call_new(client, &r, &events, NULL));
	http_client_free(client);
}

static void
test_what_cannot_be_loaded(void **state)
{
	const char *usual = curl_library;

	(void)state;
	loop = loop_new();
	ask("libcurl-that-is-not.so.4", "install the package libcurl4");
	/* A library without what is needed. */
	ask("libm.so.6", "libm.so.6 has no curl_easy_cleanup");
	ask("libcurl-that-is-not.so.4", "install the package libcurl4");
	assert_null(curl.multi_init);
	/* It was installed meanwhile. */
	ask(usual, "127.0.0.1");
	assert_non_null(curl.multi_init);
	loop_free(loop);
	free(problem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_cannot_be_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
