/* What others made of events and answered (tests/interop/lambda/judge.js), kept
 * in aws_judged.json; tests/interop/test_lambda_events.py sees that they still
 * do. */
#ifndef TESTS_UNIT_KINDS_AWS_JUDGED_H
#define TESTS_UNIT_KINDS_AWS_JUDGED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"

/* The caller frees it. */
static inline struct doc *
judged(void)
{
	struct error err = ERROR_INIT;
	struct doc *d = NULL;
	struct str text;

	str_init(&text);
	if (file_read("tests/unit/kinds/aws_judged.json", 1 << 20, &text,
		    &err) == 0)
		d = json_doc_read(text.data, text.length, &err);
	if (d == NULL)
		fail_msg("%s", err.text);
	str_fini(&text);
	return d;
}

/* Sets out to the bytes of a Base64 text. */
static inline void
judged_bytes(const struct doc *map, const char *key, struct str *out)
{
	const char *coded = doc_get_text(map, key);

	str_clear(out);
	assert_int_equal(base64_decode(coded, strlen(coded), out), 0);
}

#endif
