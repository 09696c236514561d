/* Sources that limits know as a table: a row for each limit of a source. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "cli/describe.h"
#include "cli/text_table.h"

enum column {
	SOURCE,
	STATE,
	WHERE,
	RULE,
	RATE,
	LEFT,
	DROPPED,
	UNTIL,
	ADDRESS,
	BY,
	COLUMNS,
};

#define NARROW ADDRESS /* of them, without -o wide */

static const char *const titles[COLUMNS] = {
	[SOURCE] = "source",
	[STATE] = "state",
	[WHERE] = "where",
	[RULE] = "rule",
	[RATE] = "rate",
	[LEFT] = "left",
	[DROPPED] = "dropped",
	[UNTIL] = "blocked until",
	[ADDRESS] = "address",
	[BY] = "enforced by",
};

/* "12:34:56Z (29 s)": the day is today's, or the next. */
static void
until_put(struct str *s, const struct doc *d)
{
	const char *clock = strchr(doc_get_text(d, "until"), 'T');

	if (clock != NULL)
		str_printf(s, "%s (%" PRId64 " s)", clock + 1,
			doc_get_integer(d, "secondsLeft"));
}

static void
rate_put(struct str *s, const struct doc *d)
{
	if (doc_get(d, "rate") != NULL)
		str_printf(s, "%" PRId64 " per %s", doc_get_integer(d, "rate"),
			doc_get_text(d, "unit"));
}

static void
source_put(struct str cells[COLUMNS], const struct doc *d)
{
	str_puts(&cells[SOURCE], doc_get_text(d, "source"));
	str_puts(&cells[STATE], doc_get_text(d, "state"));
	str_puts(&cells[WHERE], doc_get_text(d, "listener"));
	str_puts(&cells[RULE], doc_get_text(d, "rule"));
	rate_put(&cells[RATE], d);
	if (doc_get(d, "dropped") != NULL)
		str_printf(&cells[DROPPED], "%" PRId64,
			doc_get_integer(d, "dropped"));
	until_put(&cells[UNTIL], d);
	str_puts(&cells[ADDRESS], doc_get_text(d, "address"));
	str_puts(&cells[BY], doc_get_text(d, "by"));
}

/* A rule that is gone by now has left its numbers only. */
static void
limit_put(struct str cells[COLUMNS], const struct doc *limit)
{
	str_puts(&cells[RULE], doc_get_text(limit, "rule"));
	rate_put(&cells[RATE], limit);
	str_printf(&cells[LEFT], "%" PRId64 " of %" PRId64 " %s",
		doc_get_integer(limit, "left"), doc_get_integer(limit, "burst"),
		doc_get_text(limit, "counts"));
}

static void
row_add(struct text_table *t, const struct doc *source, const struct doc *limit)
{
	const char *texts[COLUMNS];
	struct str cells[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++)
		str_init(&cells[i]);
	if (source != NULL)
		source_put(cells, source);
	if (limit != NULL)
		limit_put(cells, limit);
	for (size_t i = 0; i < COLUMNS; i++)
		texts[i] = cells[i].data;
	text_table_add(t, texts);
	for (size_t i = 0; i < COLUMNS; i++)
		str_fini(&cells[i]);
}

void
describe_sources(const struct doc *items, bool wide, struct str *out)
{
	struct text_table *t = text_table_new(wide ? COLUMNS : NARROW, titles);

	for (size_t i = 0; i < doc_count(items); i++) {
		const struct doc *source = doc_at(items, i);
		const struct doc *limits = doc_get(source, "limits");

		row_add(t, source, doc_at(limits, 0));
		for (size_t k = 1; k < doc_count(limits); k++)
			row_add(t, NULL, doc_at(limits, k));
	}
	text_table_print(t, out);
	text_table_free(t);
}
