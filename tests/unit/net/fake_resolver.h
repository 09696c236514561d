/*
 * A resolver of the test's own in place of net/resolver.c: names are answered
 * when the test says so. To be included once in a test program.
 */
#ifndef TESTS_UNIT_NET_FAKE_RESOLVER_H
#define TESTS_UNIT_NET_FAKE_RESOLVER_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/resolver.h"

#define FAKE_QUERIES 32
#define FAKE_MAYBE   __attribute__((unused)) /* not every test needs it */

struct resolver_query {
	char *name;
	bool services;
	resolver_answer_f *cb;
	void *arg;
};

struct resolver_wait {
	resolver_wait_f *cb;
	void *arg;
};

static struct resolver_query *fake_queries[FAKE_QUERIES];
static struct resolver_wait *fake_waits[FAKE_QUERIES];

/* The next question is what finds that resolv.conf is another. */
static bool fake_servers_change;

static struct resolver_query *
fake_query_new(
	const char *name, bool services, resolver_answer_f *cb, void *arg)
{
	struct resolver_query *q = xcalloc(1, sizeof(*q));

	for (size_t i = 0; fake_servers_change && i < FAKE_QUERIES; i++)
		if (fake_waits[i] != NULL)
			fake_waits[i]->cb(fake_waits[i]->arg);
	fake_servers_change = false;
	*q = (struct resolver_query){ xstrdup(name), services, cb, arg };
	for (size_t i = 0; i < FAKE_QUERIES; i++) {
		if (fake_queries[i] != NULL)
			continue;
		fake_queries[i] = q;
		return q;
	}
	fail_msg("too many queries");
	return NULL;
}

struct resolver_query *
resolver_query_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg)
{
	(void)r;
	return fake_query_new(name, false, cb, arg);
}

struct resolver_query *
resolver_services_new(
	struct resolver *r, const char *name, resolver_answer_f *cb, void *arg)
{
	(void)r;
	return fake_query_new(name, true, cb, arg);
}

void
resolver_query_cancel(struct resolver_query *q)
{
	if (q == NULL)
		return;
	for (size_t i = 0; i < FAKE_QUERIES; i++)
		if (fake_queries[i] == q)
			fake_queries[i] = NULL;
	free(q->name);
	free(q);
}

struct resolver_wait *
resolver_wait_new(struct resolver *r, resolver_wait_f *cb, void *arg)
{
	struct resolver_wait *w = xcalloc(1, sizeof(*w));

	(void)r;
	*w = (struct resolver_wait){ cb, arg };
	for (size_t i = 0; i < FAKE_QUERIES; i++) {
		if (fake_waits[i] != NULL)
			continue;
		fake_waits[i] = w;
		return w;
	}
	fail_msg("too many waits");
	return NULL;
}

void
resolver_wait_free(struct resolver_wait *w)
{
	for (size_t i = 0; w != NULL && i < FAKE_QUERIES; i++)
		if (fake_waits[i] == w)
			fake_waits[i] = NULL;
	free(w);
}

struct loop *
resolver_loop(const struct resolver *r)
{
	(void)r;
	return NULL;
}

static FAKE_MAYBE size_t
fake_query_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < FAKE_QUERIES; i++)
		count += fake_queries[i] != NULL;
	return count;
}

static FAKE_MAYBE size_t
fake_wait_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < FAKE_QUERIES; i++)
		count += fake_waits[i] != NULL;
	return count;
}

static void
fake_give(const char *name, bool services, const struct resolver_answer *a)
{
	struct resolver_query *q = NULL;
	resolver_answer_f *cb;
	void *arg;

	for (size_t i = 0; i < FAKE_QUERIES && q == NULL; i++)
		if (fake_queries[i] != NULL &&
			fake_queries[i]->services == services &&
			strcmp(fake_queries[i]->name, name) == 0)
			q = fake_queries[i];
	if (q == NULL)
		fail_msg("%s was not asked for", name);
	cb = q->cb;
	arg = q->arg;
	resolver_query_cancel(q);
	cb(a, arg);
}

/* ips: one after the other, separated by spaces. */
static size_t
fake_addrs(const char *ips, struct addr *addrs, size_t room)
{
	char *copy = xstrdup(ips), *rest = copy, *one;
	size_t count = 0;

	while ((one = strsep(&rest, " ")) != NULL) {
		if (*one == '\0')
			continue;
		assert_true(count < room);
		assert_int_equal(addr_parse_ip(one, 0, &addrs[count++]), 0);
	}
	free(copy);
	return count;
}

/* A failure: nobody could say. */
static FAKE_MAYBE void
answer(const char *name, const char *ips, uint32_t ttl_s, const char *failure)
{
	struct addr addrs[16];
	struct resolver_answer a = {
		.verdict = failure == NULL ? RESOLVER_FOUND : RESOLVER_FAILED,
		.addrs = addrs,
		.addr_count = fake_addrs(ips, addrs, ARRAY_SIZE(addrs)),
		.ttl_s = ttl_s,
		.failure = failure,
	};

	fake_give(name, false, &a);
}

/* There is no such name, or nothing under it. */
static FAKE_MAYBE void
deny(const char *name, enum resolver_verdict verdict)
{
	struct resolver_answer a = {
		.verdict = verdict,
		.failure = verdict == RESOLVER_NO_NAME ? "no such name"
						       : "no address",
	};

	fake_give(name, name[0] == '_', &a);
}

#endif
