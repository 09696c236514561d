/* What an upstream's host was told last. */
#include "kinds/telling.h"

#include <stdlib.h>
#include <string.h>

static bool
text_is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

void
kind_telling_set(struct kind_telling *t, struct kind_host *host, char *problem,
	char *note)
{
	bool same_problem = t->told && text_is_same(t->problem, problem);
	bool same_note = text_is_same(t->note, note);

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
