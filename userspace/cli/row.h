/* A row of a text table in the making; the texts of its cells may grow. */
#ifndef CLI_ROW_H
#define CLI_ROW_H

#include <stddef.h>

#include "base/str.h"

#define ROW_CELLS_MAX 16

struct text_table;

struct row {
	struct str cells[ROW_CELLS_MAX];
	size_t count;
};

/* The next cell, empty. */
struct str *row_cell(struct row *r);
/* A cell of that text; NULL: an empty one. */
void row_put(struct row *r, const char *text);
/* The row goes into the table and is empty again. */
void row_end(struct row *r, struct text_table *t);

/* A further item of a cell, behind the separator unless it is the first. */
void row_item_add(struct str *cell, const char *separator, const char *text);

#endif
