/* The nearest of some names to a word that is none of them. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include <stddef.h>

struct suggest {
	const char *word;
	const char *nearest; /* NULL: none is near */
	size_t distance;
};

void suggest_init(struct suggest *s, const char *word);
/* name must live as long as s is used. */
void suggest_offer(struct suggest *s, const char *name);
/* Each word of a list with separators. The answer is copied into room. */
void suggest_offer_words(
	struct suggest *s, const char *words, char *room, size_t size);

#endif
