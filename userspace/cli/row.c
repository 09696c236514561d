/* A row of a text table in the making. */
#include "cli/row.h"

#include "cli/text_table.h"

struct str *
row_cell(struct row *r)
{
	str_init(&r->cells[r->count]);
	return &r->cells[r->count++];
}

void
row_put(struct row *r, const char *text)
{
	str_puts(row_cell(r), text != NULL ? text : "");
}

void
row_end(struct row *r, struct text_table *t)
{
	const char *texts[ROW_CELLS_MAX] = { NULL };

	for (size_t i = 0; i < r->count; i++)
		texts[i] = r->cells[i].data;
	text_table_add(t, texts);
	for (size_t i = 0; i < r->count; i++)
		str_fini(&r->cells[i]);
	r->count = 0;
}

void
row_item_add(struct str *cell, const char *separator, const char *text)
{
	str_printf(cell, "%s%s", cell->length > 0 ? separator : "",
		text != NULL ? text : "");
}
