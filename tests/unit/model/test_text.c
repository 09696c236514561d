/* What the texts of a model may be made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "model/tables.h"

struct row {
	const char *text;
	int rc;
};

static void
run(schema_check_f *check, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct error err = ERROR_INIT;

		if (check(rows[i].text, &err) != rows[i].rc ||
			(rows[i].rc != 0) != (err.code == ERROR_CONFIG))
			fail_msg("\"%s\" (%s)", rows[i].text, err.text);
	}
}

static void
test_host(void **state)
{
	static const struct row rows[] = {
		{ "10.0.0.1", 0 },
		{ "::1", 0 },
		{ "a", 0 },
		{ "a.example.com", 0 },
		{ "a.example.com.", 0 },
		{ "_http._tcp.web", 0 },
		{ "xn--bcher-kva.example", 0 },
		{ "1and1.com", 0 },
		{ "10.0.0.1a", 0 },
		{ "", -1 },
		{ ".", -1 },
		{ "a..b", -1 },
		{ ".a", -1 },
		{ "a..", -1 },
		{ "-a", -1 },
		{ "a-", -1 },
		{ "a-.b", -1 },
		{ "10.0.0.300", -1 },
		{ "10.1", -1 },
		{ "a:80", -1 },
		{ "[::1]", -1 },
		{ "a b", -1 },
		{ "a/b", -1 },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaa",
			-1 },
	};

	(void)state;
	run(model_host_check, rows, ARRAY_SIZE(rows));
}

static void
test_path(void **state)
{
	static const struct row rows[] = {
		{ "/", 0 },
		{ "/a//b/%20;x=1", 0 },
		{ "", -1 },
		{ "a", -1 },
		{ "/a b", -1 },
		{ "/a?b", -1 },
		{ "/a#b", -1 },
		{ "/\xc3\xa4", -1 },
		{ "/a\r\nb", -1 },
	};

	(void)state;
	run(model_path_check, rows, ARRAY_SIZE(rows));
}

static void
test_token_and_text(void **state)
{
	static const struct row tokens[] = {
		{ "x-Request_Id", 0 },
		{ "!#$%&'*+-.^_`|~", 0 },
		{ "", -1 },
		{ "a b", -1 },
		{ "a:", -1 },
		{ "\xc3\xa4", -1 },
	};
	static const struct row texts[] = {
		{ "", 0 },
		{ "a b \xc3\xa4", 0 },
		{ "a\tb", -1 },
		{ "a\nb", -1 },
		{ "a\x7f", -1 },
	};

	(void)state;
	run(model_token_check, tokens, ARRAY_SIZE(tokens));
	run(model_text_check, texts, ARRAY_SIZE(texts));
}

static void
test_address(void **state)
{
	static const struct row rows[] = {
		{ "::", 0 },
		{ "0.0.0.0", 0 },
		{ "fe80::1", 0 },
		{ "localhost", -1 },
		{ "", -1 },
		{ "10.0.0.1:80", -1 },
	};

	(void)state;
	run(model_address_check, rows, ARRAY_SIZE(rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_token_and_text),
		cmocka_unit_test(test_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
