/* What is wrong with single objects. */
#include "kinds/problems.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"

struct kind_problems {
	struct kind_program *program;
	const char *part, *who;
	struct table *texts; /* by key */
};

struct kind_problems *
kind_problems_new(
	struct kind_program *program, const char *part, const char *who)
{
	struct kind_problems *p = xcalloc(1, sizeof(*p));

	p->program = program;
	p->part = part;
	p->who = who;
	p->texts = table_new(free);
	return p;
}

void
kind_problems_free(struct kind_problems *p)
{
	if (p == NULL)
		return;
	table_free(p->texts);
	free(p);
}

/* The first by name, so that the text does not change with the order. */
static void
condition_tell(const struct kind_problems *p)
{
	const char *key, *first = NULL;
	void *value, *text = NULL;
	size_t place = 0, count;
	char *reason;

	while (table_next(p->texts, &place, &key, &value)) {
		if (first != NULL && strcmp(first, key) < 0)
			continue;
		first = key;
		text = value;
	}
	if (first == NULL) {
		p->program->condition_set(
			p->program, p->part, KIND_OK, NULL);
		return;
	}
	count = table_count(p->texts);
	reason = count == 1 ? xstrdup(text)
			    : xasprintf("%s (and %zu%s more)",
				      (const char *)text, count - 1,
				      count >= KIND_PROBLEMS_MAX
					      ? " or"
					      : "");
	p->program->condition_set(p->program, p->part, KIND_WARNING, reason);
	free(reason);
}

void
kind_problems_set(
	struct kind_problems *p, const char *key, const char *text)
{
	const char *known = table_get(p->texts, key);

	if (text == NULL || text[0] == '\0') {
		if (known == NULL)
			return;
		table_remove(p->texts, key);
		condition_tell(p);
		return;
	}
	if (known != NULL && strcmp(known, text) == 0)
		return;
	if (known == NULL && table_count(p->texts) >= KIND_PROBLEMS_MAX)
		return;
	log_warn("%s: %s", p->who, text);
	table_set(p->texts, key, xstrdup(text));
	condition_tell(p);
}
