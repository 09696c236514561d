/* Tests userspace/base/doc_merge.c: a row for each thing that two hands do. */
#include "base/doc_merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"

static const struct row {
	const char *what, *base, *mine, *theirs, *merged; /* NULL: none */
} rows[] = {
	{ "nobody changed anything", "{\"a\":1}", "{\"a\":1}", "{\"a\":1}",
		"{\"a\":1}" },
	{ "they changed", "{\"a\":1}", "{\"a\":1}", "{\"a\":2}", "{\"a\":2}" },
	{ "I changed", "{\"a\":1}", "{\"a\":2}", "{\"a\":1}", "{\"a\":2}" },
	{ "both changed: mine", "{\"a\":1}", "{\"a\":2}", "{\"a\":3}",
		"{\"a\":2}" },
	{ "each changed another key", "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
		"{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":2}" },
	{ "each added a key", "{}", "{\"a\":1}", "{\"b\":1}",
		"{\"a\":1,\"b\":1}" },
	{ "they took a key away", "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":1}",
		"{\"b\":1}", "{\"b\":1}" },
	{ "I took a key away", "{\"a\":1,\"b\":1}", "{\"b\":1}",
		"{\"a\":1,\"b\":2}", "{\"b\":2}" },
	{ "they took away what I changed", "{\"a\":1}", "{\"a\":2}", "{}",
		"{\"a\":2}" },
	{ "below a map", "{\"m\":{\"a\":1,\"b\":1}}",
		"{\"m\":{\"a\":2,\"b\":1}}", "{\"m\":{\"a\":1,\"b\":2}}",
		"{\"m\":{\"a\":2,\"b\":2}}" },
	{ "a list is one thing", "{\"l\":[1]}", "{\"l\":[1,2]}",
		"{\"l\":[3]}", "{\"l\":[1,2]}" },
	{ "a map where I have none", "{\"m\":{\"a\":1}}", "{\"m\":7}",
		"{\"m\":{\"a\":2}}", "{\"m\":7}" },
	{ "no common older version: mine, and what they add", NULL,
		"{\"a\":1,\"m\":{\"x\":1}}", "{\"a\":2,\"m\":{\"y\":1}}",
		"{\"a\":1,\"m\":{\"x\":1,\"y\":1}}" },
	{ "I have none and had none", NULL, NULL, "{\"a\":1}", "{\"a\":1}" },
	{ "I took all away", "{\"a\":1}", NULL, "{\"a\":2}", NULL },
	{ "they have none any more", "{\"a\":1}", "{\"a\":1}", NULL, NULL },
};

static struct doc *
read_one(const char *text)
{
	return text == NULL ? NULL : json_doc_read(text, strlen(text), NULL);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct doc *base = read_one(rows[i].base);
		struct doc *mine = read_one(rows[i].mine);
		struct doc *theirs = read_one(rows[i].theirs);
		struct doc *wanted = read_one(rows[i].merged);
		struct doc *merged = doc_merge(base, mine, theirs);

		if ((merged == NULL) != (wanted == NULL) ||
			!doc_equal(merged, wanted))
			fail_msg("%s", rows[i].what);
		doc_free(base);
		doc_free(mine);
		doc_free(theirs);
		doc_free(wanted);
		doc_free(merged);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
