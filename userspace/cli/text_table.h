/*
 * A table of text with borders, as Gloo prints it: titles in capitals and
 * centred (the odd space on the right), cells on the left. A cell wider than
 * TEXT_TABLE_WRAP columns is broken at spaces so that its lines are least
 * ragged, and its column is then that wide, or as wide as its longest word.
 */
#ifndef CLI_TEXT_TABLE_H
#define CLI_TEXT_TABLE_H

#include <stddef.h>

#include "base/str.h"

#define TEXT_TABLE_WRAP 30

struct text_table;

struct text_table *text_table_new(size_t columns, const char *const *titles);
void text_table_free(struct text_table *t);
/* One cell per column, NULL for an empty one. A cell may have several lines,
 * also an empty last one: each is a row, the shorter cells are filled up. */
void text_table_add(struct text_table *t, const char *const *cells);
/* The lines of a cell as they are printed, ended with '\n' each; returns the
 * width of its column. */
size_t text_table_wrap(const char *text, struct str *lines);
void text_table_print(const struct text_table *t, struct str *out);

#endif
