/* Memory that does not fail: no memory ends the process with a message. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size)
	__attribute__((malloc, returns_nonnull));
void *xreallocarray(void *old, size_t count, size_t size)
	__attribute__((returns_nonnull));
void *xmemdup(const void *data, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((returns_nonnull));
char *xstrndup(const char *text, size_t length)
	__attribute__((returns_nonnull));
char *xasprintf(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), returns_nonnull));

/* Overwrites with zeros, and no compiler leaves it out: what was secret. */
void mem_wipe(void *bytes, size_t length);
/* The same of a text, which is freed then; NULL is fine. */
void mem_free_wiped(char *text);

/* The process writes no core, and only who may trace any process (root) reads
 * its memory or has it dumped: there are keys in it. Ends with an exec. */
void mem_keep_from_dumps(void);

/* Gives what was freed back to the system. Takes a while: for quiet times. */
void mem_trim(void);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
