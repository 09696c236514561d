/* The host names of an upstream's instances. */
#include "kinds/consul/names.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"
#include "kinds/names_show.h"

struct consul_names {
	struct resolver *resolver;
	struct table *names; /* by host: struct name */
	void (*changed)(void *arg);
	void *arg;
};

struct name {
	struct consul_names *names;
	struct watched_name *watched;
	bool wanted;
};

static void
name_free(void *value)
{
	struct name *one = value;

	watched_name_free(one->watched);
	free(one);
}

struct consul_names *
consul_names_new(
	struct resolver *resolver, void (*changed)(void *arg), void *arg)
{
	struct consul_names *n = xcalloc(1, sizeof(*n));

	n->resolver = resolver;
	n->names = table_new(name_free);
	n->changed = changed;
	n->arg = arg;
	return n;
}

void
consul_names_free(struct consul_names *n)
{
	if (n == NULL)
		return;
	table_free(n->names);
	free(n);
}

void
consul_names_begin(struct consul_names *n)
{
	size_t place = 0;
	void *value;

	while (table_next(n->names, &place, NULL, &value))
		((struct name *)value)->wanted = false;
}

void
consul_names_end(struct consul_names *n)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(n->names, &place, &key, &value))
		if (!((struct name *)value)->wanted)
			table_remove(n->names, key);
}

static void
on_state(const struct watched_state *state, void *arg)
{
	const struct name *one = arg;

	(void)state;
	one->names->changed(one->names->arg);
}

const struct watched_state *
consul_names_get(struct consul_names *n, const char *host)
{
	struct name *one = table_get(n->names, host);

	if (one == NULL) {
		if (table_count(n->names) >= CONSUL_NAMES_MAX)
			return NULL;
		one = xcalloc(1, sizeof(*one));
		one->names = n;
		one->watched = watched_name_new(
			n->resolver, host, WATCHED_ADDRESSES, on_state, one);
		table_set(n->names, host, one);
	}
	one->wanted = true;
	return watched_name_state(one->watched);
}

const struct watched_state *
consul_names_find(const struct consul_names *n, const char *host)
{
	const struct name *one = table_get(n->names, host);

	return one == NULL ? NULL : watched_name_state(one->watched);
}

void
consul_names_show(const struct consul_names *n, struct doc *to)
{
	size_t place = 0;
	const char *key;
	void *value;

	while (table_next(n->names, &place, &key, &value))
		names_show_add(to, key,
			watched_name_state(((struct name *)value)->watched));
}
