/* Rate limits as a table. */
#include <inttypes.h>
#include <stddef.h>

#include "base/mem.h"
#include "cli/describe.h"
#include "cli/text_table.h"

static const char *const titles[] = { "where", "rule", "key", "rate", "burst",
	"stage", "action", "passed", "refused", "enforced by", "shadowed",
	"promoted" };

#define COLUMNS ARRAY_SIZE(titles)
#define NARROW  9 /* of them, without -o wide */

/* "VirtualService" and, below it, which. */
static void
where_put(struct str *s, const struct doc *d)
{
	const char *word = doc_get_text(d, "type");
	enum model_type type;

	if (model_type_parse(word, &type) == 0)
		word = model_type_kind(type);
	str_printf(s, "%s\n%s.%s", word, doc_get_text(d, "namespace"),
		doc_get_text(d, "name"));
}

static void
key_put(struct str *s, const struct doc *d)
{
	str_printf(s, "%s", doc_get_text(d, "key"));
	if (doc_get(d, "header") != NULL)
		str_printf(s, "\n%s", doc_get_text(d, "header"));
	if (doc_get(d, "prefixLengthV4") != NULL)
		str_printf(s, "\n/%" PRId64 ", /%" PRId64,
			doc_get_integer(d, "prefixLengthV4"),
			doc_get_integer(d, "prefixLengthV6"));
}

static void
count_put(struct str *s, const struct doc *d, const char *key)
{
	if (doc_get(d, key) != NULL)
		str_printf(s, "%" PRId64, doc_get_integer(d, key));
	else
		str_putc(s, '-');
}

/* Two rules of the kernel may have one counter. */
static void
refused_put(struct str *s, const struct doc *d, const char *key)
{
	count_put(s, d, key);
	if (doc_get(d, "countedWith") != NULL &&
		doc_get_integer(d, key) > 0)
		str_printf(s, "\nwith %s", doc_get_text(d, "countedWith"));
}

static void
row_add(struct text_table *t, const struct doc *d)
{
	struct str cells[COLUMNS];
	const char *texts[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++)
		str_init(&cells[i]);
	where_put(&cells[0], d);
	str_puts(&cells[1], doc_get_text(d, "rule"));
	key_put(&cells[2], d);
	str_printf(&cells[3], "%" PRId64 " %s\nper %s",
		doc_get_integer(d, "rate"),
		doc_get_text(d, "counts"), doc_get_text(d, "unit"));
	count_put(&cells[4], d, "burst");
	str_puts(&cells[5], doc_get_text(d, "stage"));
	str_puts(&cells[6], doc_get_text(d, "action"));
	count_put(&cells[7], d, "passed");
	refused_put(&cells[8], d, "refused");
	str_puts(&cells[9], doc_get_text(d, "enforcedBy"));
	refused_put(&cells[10], d, "shadowed");
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
