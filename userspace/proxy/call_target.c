/* What calls need to know of their destinations. */
#include "proxy/call_target.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "model/dialect.h"
#include "model/kind.h"

struct call_targets {
	const struct upstream_kind *const *kinds;
	struct table *all; /* struct call_target, by kind and content */
};

static const struct upstream_kind *
kind_of(const struct call_targets *t, struct slice key)
{
	for (size_t i = 0; t->kinds[i] != NULL; i++)
		if (slice_equal(slice_of(t->kinds[i]->key), key))
			return t->kinds[i];
	return NULL;
}

static void
target_make(struct call_target *t, const struct upstream_kind *kind,
	struct slice settings)
{
	struct error err = ERROR_INIT;

	if (kind == NULL || kind->dialect == NULL) {
		t->problem = xstrdup("upstreams of its kind are not called");
		return;
	}
	t->dialect = kind->dialect;
	t->made = kind->dialect->target_new(settings, &err);
	if (t->made == NULL) {
		t->problem = xstrdup(err.text);
		return;
	}
	t->dialect->limits(t->made, &t->request_max, &t->answer_max);
}

/* Any bytes, as a text. */
static void
key_print(struct str *to, struct slice kind, struct slice settings)
{
	static const char hex[] = "0123456789abcdef";

	str_reserve(to, kind.length + 1 + 2 * settings.length);
	str_append(to, kind.data, kind.length);
	str_putc(to, ' ');
	for (size_t i = 0; i < settings.length; i++) {
		uint8_t byte = (uint8_t)settings.data[i];
		const char two[2] = { hex[byte >> 4], hex[byte & 15] };

		str_append(to, two, sizeof(two));
	}
}

static void
known_free(void *value)
{
	call_target_unref(value);
}

struct call_targets *
call_targets_new(const struct upstream_kind *const *kinds)
{
	struct call_targets *t = xcalloc(1, sizeof(*t));

	t->kinds = kinds;
	t->all = table_new(known_free);
	return t;
}

void
call_targets_free(struct call_targets *t)
{
	if (t == NULL)
		return;
	table_free(t->all);
	free(t);
}

struct call_target *
call_targets_get(
	struct call_targets *t, struct slice kind, struct slice settings)
{
	struct call_target *target;
	struct str key;

	str_init(&key);
	key_print(&key, kind, settings);
	target = table_get(t->all, key.data);
	if (target == NULL) {
		target = xcalloc(1, sizeof(*target));
		target->refs = 1;
		target_make(target, kind_of(t, kind), settings);
		if (target->problem != NULL)
			log_error("calls: a destination of kind %.*s cannot be "
				  "called, it answers 503: %s",
				(int)kind.length, kind.data, target->problem);
		table_set(t->all, key.data, target);
	}
	target->refs++;
	str_fini(&key);
	return target;
}

void
call_targets_trim(struct call_targets *t)
{
	const char *key;
	size_t place = 0;
	void *value;

	while (table_next(t->all, &place, &key, &value))
		if (((const struct call_target *)value)->refs == 1)
			table_remove(t->all, key);
}

void
call_target_unref(struct call_target *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	if (t->made != NULL)
		t->dialect->target_free(t->made);
	free(t->problem);
	free(t);
}
