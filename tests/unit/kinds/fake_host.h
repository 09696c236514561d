/*
 * An upstream that a kind watches. Its host writes down what it is told, a line
 * per call that begins with the upstream's name: "u: 10.0.0.1:80x3(a.test)*" is
 * a set of one endpoint of weight 3 (1 is not shown), that has a host name and
 * an owner; "u ok", "u not ok: why"; "u note what", "u note -" for none.
 */
#ifndef TESTS_UNIT_KINDS_FAKE_HOST_H
#define TESTS_UNIT_KINDS_FAKE_HOST_H

#include "told.h"

#include "base/addr.h"
#include "model/kind.h"

#define UPSTREAM_USED 8

struct upstream {
	struct kind_host host; /* first */
	const char *name;
	const struct upstream_kind *kind;
	void *state; /* the kind's */
	size_t last_count;
	/* What the kind is told to be in use: its last set, none if it was
	 * larger; or what the test puts there. */
	struct endpoint used[UPSTREAM_USED];
	size_t used_count;
};

static inline void
upstream_endpoints_replace(
	struct kind_host *host, const struct endpoint *set, size_t count)
{
	struct upstream *u = (struct upstream *)host;
	char text[ADDR_TEXT_MAX];

	u->last_count = count;
	u->used_count = count > UPSTREAM_USED ? 0 : count;
	if (u->used_count > 0)
		memcpy(u->used, set, u->used_count * sizeof(*set));
	if (count > UPSTREAM_USED) {
		str_printf(&told, "%s: %zu endpoints\n", u->name, count);
		return;
	}
	str_printf(&told, "%s:", u->name);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(set[i].health, ENDPOINT_UP);
		str_printf(&told, " %s", addr_format(&set[i].addr, text));
		if (set[i].weight != 1)
			str_printf(&told, "x%u", set[i].weight);
		if (set[i].host[0] != '\0')
			str_printf(&told, "(%s)", set[i].host);
		if (set[i].owner != 0)
			str_puts(&told, "*");
	}
	str_puts(&told, count == 0 ? " none\n" : "\n");
}

static inline const struct endpoint *
upstream_endpoints_used(struct kind_host *host, size_t *count)
{
	const struct upstream *u = (struct upstream *)host;

	*count = u->used_count;
	return u->used;
}

static inline void
upstream_condition_set(struct kind_host *host, bool ok, const char *reason)
{
	const struct upstream *u = (struct upstream *)host;

	str_printf(&told, "%s %s%s\n", u->name, ok ? "ok" : "not ok: ",
		ok ? "" : reason);
}

static inline void
upstream_note_set(struct kind_host *host, const char *note)
{
	const struct upstream *u = (struct upstream *)host;

	str_printf(&told, "%s note %s\n", u->name, note == NULL ? "-" : note);
}

/* Nothing is watched yet. shared: of the kind's open, or NULL. name is kept. */
static inline void
upstream_init(struct upstream *u, const struct upstream_kind *kind,
	void *shared, const char *name)
{
	*u = (struct upstream){
		.host = { .endpoints_replace = upstream_endpoints_replace,
			.endpoints_used = upstream_endpoints_used,
			.condition_set = upstream_condition_set,
			.note_set = upstream_note_set,
			.shared = shared },
		.name = name,
		.kind = kind,
	};
}

/* Watches with what is in use. */
static inline void
upstream_resume(struct upstream *u, const char *spec_yaml)
{
	struct error err = ERROR_INIT;
	struct doc *d = yaml(spec_yaml);
	void *spec = u->kind->read(d, &err);

	if (spec == NULL)
		fail_msg("%s", err.text);
	u->state = u->kind->watch(spec, &u->host);
	/* The state must not lean on the spec. */
	u->kind->free(spec);
	doc_free(d);
}

static inline void
upstream_watch(struct upstream *u, const struct upstream_kind *kind,
	void *shared, const char *name, const char *spec_yaml)
{
	upstream_init(u, kind, shared, name);
	upstream_resume(u, spec_yaml);
}

static inline void
upstream_unwatch(struct upstream *u)
{
	u->kind->unwatch(u->state);
}

#endif
