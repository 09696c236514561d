/* What an upstream's host was told last. */
#include "kinds/telling.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static bool
text_is_same(const char *a, const char *b, bool quotes)
{
	if (a == NULL || b == NULL)
		return a == b;
	return quotes ? text_is_same_but_digits(a, b) : strcmp(a, b) == 0;
}

void
kind_telling_set(struct kind_telling *t, struct kind_host *host, char *problem,
	char *note)
{
	bool same_problem =
		t->told && text_is_same(t->problem, problem, t->quotes);
	bool same_note = text_is_same(t->note, note, false);

	free(t->problem);
	free(t->note);
	t->problem = problem;
	t->note = note;
	t->told = true;
	if (!same_problem)
		host->condition_set(host, problem == NULL, problem);
	if (!same_note)
		host->note_set(host, note);
}

void
kind_telling_fini(struct kind_telling *t, struct kind_host *host)
{
	if (t->note != NULL)
		host->note_set(host, NULL);
	free(t->problem);
	free(t->note);
	*t = (struct kind_telling){ 0 };
}
