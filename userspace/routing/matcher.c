/* Compiled regexes, kept by pattern, and their limited run. */
#include "routing/matcher.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"

/* Steps, not time: enough for any sane path; a pattern that backtracks without
 * end stops within some milliseconds. */
#define MATCH_LIMIT   50000
#define HEAP_LIMIT_KB 1024
#define JIT_STACK_MIN (32 << 10)
#define JIT_STACK_MAX (256 << 10)

struct matcher {
	pcre2_code *code;
	bool jit;
	uint32_t refs;
};

struct matcher_cache {
	struct table *by_pattern; /* struct matcher */
};

struct matcher_run {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	uint64_t *limited;
};

static void
matcher_free(void *value)
{
	struct matcher *m = value;

	pcre2_code_free(m->code);
	free(m);
}

struct matcher_cache *
matcher_cache_new(void)
{
	struct matcher_cache *c = xcalloc(1, sizeof(*c));

	c->by_pattern = table_new(matcher_free);
	return c;
}

void
matcher_cache_trim(struct matcher_cache *c)
{
	size_t place = 0;
	const char *pattern;
	void *value;

	while (table_next(c->by_pattern, &place, &pattern, &value)) {
		const struct matcher *m = value;

		if (m->refs == 0)
			table_remove(c->by_pattern, pattern);
	}
}

void
matcher_cache_free(struct matcher_cache *c)
{
	if (c == NULL)
		return;
	table_free(c->by_pattern);
	free(c);
}

static pcre2_code *
pattern_compile(struct slice pattern, struct error *err)
{
	PCRE2_UCHAR text[128];
	PCRE2_SIZE place;
	pcre2_code *code;
	int error;

	code = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.length,
		PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
			PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C,
		&error, &place, NULL);
	if (code != NULL)
		return code;
	pcre2_get_error_message(error, text, sizeof(text));
	error_set(err, ERROR_CONFIG,
		"the regex \"%.200s\" is wrong at character %zu: %s",
		pattern.data, (size_t)place + 1, (const char *)text);
	return NULL;
}

int
matcher_check(const char *pattern, struct error *err)
{
	pcre2_code *code = pattern_compile(slice_of(pattern), err);

	pcre2_code_free(code);
	return code == NULL ? -1 : 0;
}

struct matcher *
matcher_cache_take(
	struct matcher_cache *c, struct slice pattern, struct error *err)
{
	struct matcher *m;
	pcre2_code *code;

	if (memchr(pattern.data, '\0', pattern.length) != NULL) {
		error_set(err, ERROR_CONFIG, "a regex holds a NUL byte");
		return NULL;
	}
	m = table_get(c->by_pattern, pattern.data);
	if (m == NULL) {
		code = pattern_compile(pattern, err);
		if (code == NULL)
			return NULL;
		m = xcalloc(1, sizeof(*m));
		m->code = code;
		/* Where this is refused, pcre2_match() interprets. */
		m->jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
		table_set(c->by_pattern, pattern.data, m);
	}
	m->refs++;
	return m;
}

void
matcher_release(struct matcher *m)
{
	if (m != NULL)
		m->refs--;
}

static void *
not_null(void *made)
{
	if (made == NULL)
		log_fatal("regexes: out of memory");
	return made;
}

struct matcher_run *
matcher_run_new(uint64_t *limited)
{
	struct matcher_run *r = xcalloc(1, sizeof(*r));

	r->limited = limited;
	r->data = not_null(pcre2_match_data_create(1, NULL));
	r->context = not_null(pcre2_match_context_create(NULL));
	/* NULL where there is no JIT; then it is not used either. */
	r->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, NULL);
	pcre2_jit_stack_assign(r->context, NULL, r->stack);
	pcre2_set_match_limit(r->context, MATCH_LIMIT);
	pcre2_set_heap_limit(r->context, HEAP_LIMIT_KB);
	return r;
}

void
matcher_run_free(struct matcher_run *r)
{
	if (r == NULL)
		return;
	pcre2_match_data_free(r->data);
	pcre2_match_context_free(r->context);
	pcre2_jit_stack_free(r->stack);
	free(r);
}

enum matcher_verdict
matcher_matches(
	const struct matcher *m, struct matcher_run *r, struct slice text)
{
	PCRE2_SPTR bytes = (PCRE2_SPTR)(text.length > 0 ? text.data : "");
	int rc;

	/* What pcre2_match() would check before is so here. */
	if (m->jit)
		rc = pcre2_jit_match(
			m->code, bytes, text.length, 0, 0, r->data, r->context);
	else
		rc = pcre2_match(
			m->code, bytes, text.length, 0, 0, r->data, r->context);
	if (rc >= 0)
		return MATCHER_YES;
	if (rc == PCRE2_ERROR_NOMATCH)
		return MATCHER_NO;
	(*r->limited)++;
	return MATCHER_LIMITED;
}
