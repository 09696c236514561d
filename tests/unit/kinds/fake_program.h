/*
 * The conditions that a kind tells its program, as control keeps them: a line
 * when a part's is another than it was, "part warning: why", "part ok".
 */
#ifndef TESTS_UNIT_KINDS_FAKE_PROGRAM_H
#define TESTS_UNIT_KINDS_FAKE_PROGRAM_H

#include "told.h"

#include <stdlib.h>

#include "base/mem.h"
#include "model/kind.h"

#define FAKE_PARTS 8

static struct {
	char *part;
	enum kind_level level;
	char *reason;
} fake_conditions[FAKE_PARTS];

static inline void
on_condition(struct kind_program *p, const char *part, enum kind_level level,
	const char *reason)
{
	static const char *const names[] = { "ok", "note", "warning", "error" };
	size_t i = 0;

	(void)p;
	if (reason == NULL)
		reason = "";
	while (fake_conditions[i].part != NULL &&
		strcmp(fake_conditions[i].part, part) != 0)
		assert_true(++i < FAKE_PARTS);
	if (fake_conditions[i].part == NULL) {
		fake_conditions[i].part = xstrdup(part);
		fake_conditions[i].reason = xstrdup("");
	}
	if (fake_conditions[i].level == level &&
		strcmp(fake_conditions[i].reason, reason) == 0)
		return;
	fake_conditions[i].level = level;
	free(fake_conditions[i].reason);
	fake_conditions[i].reason = xstrdup(reason);
	str_printf(&told, "%s %s", part, names[level]);
	if (reason[0] != '\0')
		str_printf(&told, ": %s", reason);
	str_putc(&told, '\n');
}

/* As if nothing had been told. */
static inline void
fake_forget(void)
{
	for (size_t i = 0; i < FAKE_PARTS; i++) {
		free(fake_conditions[i].part);
		free(fake_conditions[i].reason);
	}
	memset(fake_conditions, 0, sizeof(fake_conditions));
}

#endif
