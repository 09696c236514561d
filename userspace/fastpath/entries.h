/* Walks a table of the kernel without touching the order in which it forgets
 * its entries. */
#ifndef FASTPATH_ENTRIES_H
#define FASTPATH_ENTRIES_H

#include <stddef.h>

/* Key and value are the callback's for the length of the call. */
typedef void entry_f(const void *key, const void *value, void *arg);
/* What is in the table from the beginning to the end of the call is told once.
 * -1: it cannot be read. */
int entries_each(int fd, size_t key_size, size_t value_size, entry_f *cb,
	void *arg);

#endif
