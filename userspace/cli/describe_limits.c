/* Rate limits as a table. */
#include <stddef.h>

#include "base/mem.h"
#include "cli/describe.h"
#include "cli/text_table.h"

static const char *const titles[] = { "where", "rule", "key", "rate", "burst",
	"stage", "action", "passed", "refused", "enforced by", "shadowed",
	"promoted" };

#define COLUMNS ARRAY_SIZE(titles)
#define NARROW  9 /* of them, without -o wide */

static const char *
text_of(const struct doc *d, const char *key)
{
	const char *text = doc_get_string(d, key);

	return text != NULL ? text : "";
}

static long long
number_of(const struct doc *d, const char *key)
{
	return (long long)doc_integer(doc_get(d, key));
}

/* "VirtualService" and, below it, which. */
static void
where_put(struct str *s, const struct doc *d)
{
	const char *word = text_of(d, "type");
	enum model_type type;

	if (model_type_parse(word, &type) == 0)
		word = model_type_kind(type);
	str_printf(s, "%s\n%s.%s", word, text_of(d, "namespace"),
		text_of(d, "name"));
}

static void
key_put(struct str *s, const struct doc *d)
{
	str_printf(s, "%s", text_of(d, "key"));
	if (doc_get(d, "header") != NULL)
		str_printf(s, "\n%s", text_of(d, "header"));
	if (doc_get(d, "prefixLengthV4") != NULL)
		str_printf(s, "\n/%lld, /%lld", number_of(d, "prefixLengthV4"),
			number_of(d, "prefixLengthV6"));
}

static void
count_put(struct str *s, const struct doc *d, const char *key)
{
	if (doc_get(d, key) != NULL)
		str_printf(s, "%lld", number_of(d, key));
	else
		str_putc(s, '-');
}

static void
row_add(struct text_table *t, const struct doc *d)
{
	struct str cells[COLUMNS];
	const char *texts[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++)
		str_init(&cells[i]);
	where_put(&cells[0], d);
	str_puts(&cells[1], text_of(d, "rule"));
	key_put(&cells[2], d);
	str_printf(&cells[3], "%lld %s\nper %s", number_of(d, "rate"),
		text_of(d, "counts"), text_of(d, "unit"));
	count_put(&cells[4], d, "burst");
	str_puts(&cells[5], text_of(d, "stage"));
	str_puts(&cells[6], text_of(d, "action"));
	count_put(&cells[7], d, "passed");
	count_put(&cells[8], d, "refused");
	str_puts(&cells[9], text_of(d, "enforcedBy"));
	count_put(&cells[10], d, "shadowed");
	count_put(&cells[11], d, "promoted");
	for (size_t i = 0; i < COLUMNS; i++)
		texts[i] = cells[i].data;
	text_table_add(t, texts);
	for (size_t i = 0; i < COLUMNS; i++)
		str_fini(&cells[i]);
}

void
describe_limits(const struct doc *items, bool wide, struct str *out)
{
	struct text_table *t = text_table_new(wide ? COLUMNS : NARROW, titles);

	for (size_t i = 0; i < doc_count(items); i++)
		row_add(t, doc_at(items, i));
	text_table_print(t, out);
	text_table_free(t);
}
