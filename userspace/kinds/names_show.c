/* DNS names that are kept resolved, for people. */
#include "kinds/names_show.h"

#include "base/clock.h"

void
names_show_add(
	struct doc *names, const char *name, const struct watched_state *state)
{
	struct doc *d = doc_add(names, doc_new_map());
	uint64_t now = clock_monotonic_ms();
	char since[CLOCK_TEXT_MAX];

	doc_set_string(d, "name", name);
	doc_set(d, "addresses", doc_new_integer((int64_t)state->count));
	doc_set(d, "ttlSeconds", doc_new_integer(state->ttl_s));
	doc_set(d, "askedAgainInMs",
		doc_new_integer(state->due_ms > now
					? (int64_t)(state->due_ms - now)
					: 0));
	if (state->stale_since_ms != 0)
		doc_set_string(d, "staleSince",
			clock_format(state->stale_since_ms, since));
	if (state->problem != NULL)
		doc_set_string(d, "problem", state->problem);
}
