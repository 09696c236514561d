/* What tells texts from others that are not kept. */
#ifndef NET_DIGEST_H
#define NET_DIGEST_H

#include <stddef.h>

#define DIGEST_LENGTH 32

/* SHA-256 of texts, each behind its length, so that no two lists of texts are
 * the same bytes; one that is not there (NULL) is not one that is empty. */
void digest_texts(const char *const *texts, size_t count,
	unsigned char out[DIGEST_LENGTH]);

#endif
