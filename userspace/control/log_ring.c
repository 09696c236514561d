/* The last lines of control's log. */
#include "control/log_ring.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

struct log_ring {
	uint64_t next; /* sequence number of the line to come, from 1 */
	struct ring_line {
		enum log_level level;
		char *text;
	} lines[LOG_RING_LINES];
};

static void
on_line(enum log_level level, const char *line, void *arg)
{
	struct log_ring *r = arg;
	struct ring_line *to = &r->lines[r->next++ % LOG_RING_LINES];

	free(to->text);
	to->level = level;
	to->text = xstrdup(line);
}

struct log_ring *
log_ring_new(void)
{
	struct log_ring *r = xcalloc(1, sizeof(*r));

	r->next = 1;
	log_set_sink(on_line, r);
	return r;
}

void
log_ring_free(struct log_ring *r)
{
	if (r == NULL)
		return;
	log_set_sink(NULL, NULL);
	for (size_t i = 0; i < LOG_RING_LINES; i++)
		free(r->lines[i].text);
	free(r);
}

struct doc *
log_ring_print(const struct log_ring *r, uint64_t since)
{
	static const char *const levels[] = { "error", "warn", "info",
		"debug" };
	uint64_t first =
		r->next > LOG_RING_LINES ? r->next - LOG_RING_LINES : 1;
	struct doc *d = doc_new_map();
	struct doc *lines = doc_set(d, "lines", doc_new_list());

	for (uint64_t seq = since > first ? since : first; seq < r->next;
		seq++) {
		const struct ring_line *from = &r->lines[seq % LOG_RING_LINES];
		struct doc *one = doc_add(lines, doc_new_map());

		doc_set(one, "seq", doc_new_integer((int64_t)seq));
		doc_set_string(one, "level", levels[from->level]);
		doc_set_string(one, "text", from->text);
	}
	doc_set(d, "next", doc_new_integer((int64_t)r->next));
	return d;
}
