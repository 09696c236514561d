/* DNS names that are kept resolved, in the test's hands. */
#ifndef TESTS_UNIT_KINDS_FAKE_WATCHED_H
#define TESTS_UNIT_KINDS_FAKE_WATCHED_H

#include "told.h"

#include <stdlib.h>

#include "base/addr.h"
#include "base/mem.h"
#include "net/watched_name.h"

struct watched_name {
	struct watched_name *next;
	char *name;
	struct watched_state state;
	struct watched_target targets[8];
	watched_name_f *cb;
	void *arg;
};

static struct watched_name *fake_names;

struct watched_name *
watched_name_new(struct resolver *r, const char *name, enum watched_type type,
	watched_name_f *cb, void *arg)
{
	struct watched_name *n = xcalloc(1, sizeof(*n));

	(void)r;
	assert_int_equal(type, WATCHED_ADDRESSES);
	n->next = fake_names;
	n->name = xstrdup(name);
	n->state.targets = n->targets;
	n->cb = cb;
	n->arg = arg;
	fake_names = n;
	return n;
}

void
watched_name_free(struct watched_name *n)
{
	struct watched_name **at = &fake_names;

	if (n == NULL)
		return;
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	free(n->name);
	free(n);
}

const struct watched_state *
watched_name_state(const struct watched_name *n)
{
	return &n->state;
}

void
watched_name_pace(struct watched_name *n, uint64_t ms)
{
	(void)n;
	(void)ms;
}

/* NULL: it is not watched. */
static inline struct watched_name *
name_watched(const char *name)
{
	for (struct watched_name *n = fake_names; n != NULL; n = n->next)
		if (strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

/* ips: separated by spaces; NULL: those that are known stay. A problem "gone"
 * is that of a name that is said not to exist. */
static inline void
resolves(const char *name, const char *ips, const char *problem)
{
	struct watched_name *n = name_watched(name);
	char *copy = xstrdup(ips == NULL ? "" : ips), *rest = copy, *one;

	if (n == NULL)
		fail_msg("%s is not watched", name);
	n->state.answered = true;
	n->state.problem = problem;
	n->state.gone = problem != NULL && strcmp(problem, "gone") == 0;
	if (ips != NULL)
		n->state.count = 0;
	while ((one = strsep(&rest, " ")) != NULL)
		if (one[0] != '\0')
			assert_int_equal(
				addr_parse_ip(one, 0,
					&n->targets[n->state.count++].addr),
				0);
	n->cb(&n->state, n->arg);
	free(copy);
}

#endif
