/* The nearest of some names to a word that is none of them. */
#include "cli/suggest.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define WORD_MAX 64

/* Changes, insertions, removals and swaps of neighbours between two words. */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++) {
		before[j] = WORD_MAX;
		last[j] = j;
	}
	for (size_t i = 1; i <= la; i++) {
		size_t *swap = before;

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
				a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = swap;
	}
	return last[lb];
}

void
suggest_init(struct suggest *s, const char *word)
{
	size_t length = strlen(word);

	s->word = word;
	s->nearest = NULL;
	/* Further away than that it would be a guess. */
	s->distance = length < 3 ? 2 : length / 3 + 2;
}

void
suggest_offer(struct suggest *s, const char *name)
{
	size_t d = distance(s->word, name);
	size_t length = strlen(s->word);

	/* "up" means "upstream", however far the end is. */
	if (d > 0 && length >= 2 && strncmp(s->word, name, length) == 0)
		d = 1;
	if (d < s->distance && d < strlen(name)) {
		s->distance = d;
		s->nearest = name;
	}
}

void
suggest_offer_words(
	struct suggest *s, const char *words, char *room, size_t size)
{
	while (words != NULL && *words != '\0') {
		size_t length = strcspn(words, " |");
		char word[WORD_MAX + 1];
		size_t d = s->distance;

		snprintf(word, sizeof(word), "%.*s", (int)length, words);
		suggest_offer(s, word);
		if (s->distance < d) {
			snprintf(room, size, "%s", word);
			s->nearest = room;
		}
		words += length;
		words += strspn(words, " |");
	}
}
