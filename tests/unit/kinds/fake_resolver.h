/* The resolver in the test's hands: names are answered when it says so. */
#ifndef TESTS_UNIT_KINDS_FAKE_RESOLVER_H
#define TESTS_UNIT_KINDS_FAKE_RESOLVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "net/resolver.h"

#define FAKE_QUERIES 8

struct resolver_query {
	char *name;
	resolver_answer_f *cb;
	void *arg;
};

static struct resolver_query *fake_queries[FAKE_QUERIES];

struct resolver_query *
resolver_query_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg)
{
	struct resolver_query *q = xcalloc(1, sizeof(*q));

	(void)r;
	*q = (struct resolver_query){ xstrdup(name), cb, arg };
	for (size_t i = 0; i < FAKE_QUERIES; i++) {
		if (fake_queries[i] != NULL)
			continue;
		fake_queries[i] = q;
		return q;
	}
	fail_msg("%s is one name too many", name);
	return NULL;
}

void
resolver_query_cancel(struct resolver_query *q)
{
	for (size_t i = 0; i < FAKE_QUERIES; i++)
		if (fake_queries[i] == q)
			fake_queries[i] = NULL;
	free(q->name);
	free(q);
}

/* ips: one after the other, separated by spaces. */
static inline void
answer(const char *name, const char *ips, uint32_t ttl_s, const char *failure)
{
	struct resolver_query *q = NULL;
	struct addr addrs[8];
	size_t count = 0;
	char *copy = xstrdup(ips), *rest = copy, *one;
	resolver_answer_f *cb;
	void *arg;

	for (size_t i = 0; i < FAKE_QUERIES && q == NULL; i++)
		if (fake_queries[i] != NULL &&
			strcmp(fake_queries[i]->name, name) == 0)
			q = fake_queries[i];
	if (q == NULL)
		fail_msg("%s was not asked for", name);
	while ((one = strsep(&rest, " ")) != NULL) {
		if (*one == '\0')
			continue;
		assert_true(count < ARRAY_SIZE(addrs));
		assert_int_equal(addr_parse_ip(one, 0, &addrs[count++]), 0);
	}
	cb = q->cb;
	arg = q->arg;
	resolver_query_cancel(q);
	cb(addrs, count, ttl_s, failure, arg);
	free(copy);
}

/* That wait for an answer. */
static inline size_t
fake_query_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < FAKE_QUERIES; i++)
		count += fake_queries[i] != NULL;
	return count;
}

#endif
