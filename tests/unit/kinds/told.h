/*
 * What the tests of the kinds share: documents go in as YAML, and whatever the
 * code under test tells is written down, a line each.
 */
#ifndef TESTS_UNIT_KINDS_TOLD_H
#define TESTS_UNIT_KINDS_TOLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/doc.h"
#include "base/str.h"
#include "base/yaml.h"

static struct str told;

/* That was told since it was asked last, and no more. */
static inline void
told_is(const char *want)
{
	assert_string_equal(told.data, want);
	str_clear(&told);
}

/* For a group of tests. */
static inline int
told_setup(void **state)
{
	(void)state;
	str_init(&told);
	return 0;
}

static inline int
told_teardown(void **state)
{
	(void)state;
	str_fini(&told);
	return 0;
}

/* The caller frees. */
static inline struct doc *
yaml(const char *text)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml_doc_read(text, strlen(text), &err);

	if (d == NULL)
		fail_msg("%s: %s", err.text, text);
	return d;
}

#endif
