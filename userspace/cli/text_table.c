/* A table of text with borders, as Gloo prints it. */
#include "cli/text_table.h"

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

#define TOO_LONG 100000 /* what a line over the limit costs */

struct text_table {
	size_t columns, count;
	char **titles;
	char ***rows; /* count rows of columns cells, a line each */
};

struct words {
	struct slice *word;
	size_t *width;
	size_t count;
};

/* Columns on a terminal: characters of UTF-8. */
static size_t
width_of(struct slice text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.length; i++)
		n += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return n;
}

struct text_table *
text_table_new(size_t columns, const char *const *titles)
{
	struct text_table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	t->titles = xcalloc(columns, sizeof(*t->titles));
	for (size_t i = 0; i < columns; i++) {
		t->titles[i] = xstrdup(titles[i]);
		for (char *p = t->titles[i]; *p != '\0'; p++)
			*p = (char)toupper((unsigned char)*p);
	}
	return t;
}

void
text_table_free(struct text_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++) {
		for (size_t c = 0; c < t->columns; c++)
			free(t->rows[i][c]);
		free(t->rows[i]);
	}
	for (size_t c = 0; c < t->columns; c++)
		free(t->titles[c]);
	free(t->rows);
	free(t->titles);
	free(t);
}

/* The next line of *text as a cell of its own: a terminal must not be told
 * anything by a name. NULL once the last one was given. */
static char *
line_next(const char **text)
{
	size_t length;
	char *line;

	if (*text == NULL)
		return NULL;
	length = strcspn(*text, "\n");
	line = xstrndup(*text, length);
	*text = (*text)[length] == '\n' ? *text + length + 1 : NULL;
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return line;
}

void
text_table_add(struct text_table *t, const char *const *cells)
{
	const char **rest = xcalloc(t->columns, sizeof(*rest));
	size_t more;

	for (size_t c = 0; c < t->columns; c++)
		rest[c] = cells[c] != NULL ? cells[c] : "";
	do {
		char **row = xcalloc(t->columns, sizeof(*row));

		more = 0;
		for (size_t c = 0; c < t->columns; c++) {
			row[c] = line_next(&rest[c]);
			if (row[c] == NULL)
				row[c] = xstrdup("");
			more += rest[c] != NULL;
		}
		t->rows =
			xreallocarray(t->rows, t->count + 1, sizeof(*t->rows));
		t->rows[t->count++] = row;
	} while (more > 0);
	free(rest);
}

/* ---- breaking lines */

static void
words_init(struct words *w, const char *text)
{
	size_t n = 1;

	for (const char *p = text; *p != '\0'; p++)
		n += *p == ' ';
	w->word = xcalloc(n, sizeof(*w->word));
	w->width = xcalloc(n, sizeof(*w->width));
	w->count = n;
	for (size_t i = 0; i < n; i++) {
		w->word[i] = (struct slice){ text, strcspn(text, " ") };
		w->width[i] = width_of(w->word[i]);
		text += w->word[i].length + 1;
	}
}

static void
words_fini(struct words *w)
{
	free(w->word);
	free(w->width);
}

static size_t
words_longest(const struct words *w)
{
	size_t longest = 0;

	for (size_t i = 0; i < w->count; i++)
		if (w->width[i] > longest)
			longest = w->width[i];
	return longest;
}

/* Where the line that begins with word i ends, for each i: the sum of the
 * squares of the room left is least, the last line's does not count. */
static size_t *
breaks_find(const struct words *w, size_t limit)
{
	uint64_t *cost = xcalloc(w->count + 1, sizeof(*cost));
	size_t *end = xcalloc(w->count + 1, sizeof(*end));

	for (size_t i = w->count; i-- > 0;) {
		size_t width = 0;

		cost[i] = UINT64_MAX;
		for (size_t j = i; j < w->count; j++) {
			uint64_t left, c;

			width += w->width[j] + (j > i);
			if (width > limit && j > i)
				break;
			if (j + 1 == w->count) {
				cost[i] = 0;
				end[i] = j + 1;
				break;
			}
			left = width > limit ? TOO_LONG : limit - width;
			c = left * left + cost[j + 1];
			if (c < cost[i]) {
				cost[i] = c;
				end[i] = j + 1;
			}
		}
	}
	free(cost);
	return end;
}

size_t
text_table_wrap(const char *text, struct str *lines)
{
	size_t width = width_of(slice_of(text)), limit = TEXT_TABLE_WRAP;
	struct words w;
	size_t *end;

	if (width <= limit) {
		str_printf(lines, "%s\n", text);
		return width;
	}
	words_init(&w, text);
	if (words_longest(&w) > limit)
		limit = words_longest(&w);
	end = breaks_find(&w, limit);
	for (size_t i = 0; i < w.count; i = end[i]) {
		const char *from = w.word[i].data;
		struct slice last = w.word[end[i] - 1];

		str_append(
			lines, from, (size_t)(last.data + last.length - from));
		str_putc(lines, '\n');
	}
	free(end);
	words_fini(&w);
	return limit;
}

/* ---- drawing */

static void
rule_draw(struct str *out, const size_t *width, size_t columns)
{
	for (size_t c = 0; c < columns; c++) {
		str_putc(out, '+');
		for (size_t i = 0; i < width[c] + 2; i++)
			str_putc(out, '-');
	}
	str_puts(out, "+\n");
}

static void
titles_draw(struct str *out, const struct text_table *t, const size_t *width)
{
	for (size_t c = 0; c < t->columns; c++) {
		size_t gap = width[c] - width_of(slice_of(t->titles[c]));

		str_printf(out, "| %*s%s%*s ", (int)(gap / 2), "", t->titles[c],
			(int)(gap - gap / 2), "");
	}
	str_puts(out, "|\n");
}

/* texts: the wrapped cells of a row. */
static void
row_draw(struct str *out, const struct str *texts, const size_t *width,
	size_t columns)
{
	const char **rest = xcalloc(columns, sizeof(*rest));
	bool more = true;

	for (size_t c = 0; c < columns; c++)
		rest[c] = texts[c].data;
	while (more) {
		more = false;
		for (size_t c = 0; c < columns; c++) {
			struct slice line = { rest[c], strcspn(rest[c], "\n") };
			size_t gap = width[c] - width_of(line);

			str_puts(out, "| ");
			str_append(out, line.data, line.length);
			str_printf(out, "%*s ", (int)gap, "");
			rest[c] += line.length + (rest[c][line.length] != '\0');
			more = more || *rest[c] != '\0';
		}
		str_puts(out, "|\n");
	}
	free(rest);
}

void
text_table_print(const struct text_table *t, struct str *out)
{
	size_t cells = t->count * t->columns;
	size_t *width = xcalloc(t->columns, sizeof(*width));
	struct str *texts = xcalloc(cells + 1, sizeof(*texts));

	for (size_t c = 0; c < t->columns; c++)
		width[c] = width_of(slice_of(t->titles[c]));
	for (size_t i = 0; i < cells; i++) {
		size_t c = i % t->columns, w;

		str_init(&texts[i]);
		w = text_table_wrap(t->rows[i / t->columns][c], &texts[i]);
		if (w > width[c])
			width[c] = w;
	}
	rule_draw(out, width, t->columns);
	titles_draw(out, t, width);
	rule_draw(out, width, t->columns);
	for (size_t r = 0; r < t->count; r++)
		row_draw(out, texts + r * t->columns, width, t->columns);
	if (t->count > 0)
		rule_draw(out, width, t->columns);
	for (size_t i = 0; i < cells; i++)
		str_fini(&texts[i]);
	free(texts);
	free(width);
}
