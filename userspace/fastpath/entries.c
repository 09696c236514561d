/* Walks a table of the kernel. */
#include "fastpath/entries.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "base/mem.h"

#define BATCH 4096 /* entries: more than a bucket of the kernel's table has */

int
entries_each(int fd, size_t key_size, size_t value_size, entry_f *cb, void *arg)
{
	uint8_t *keys = xcalloc(BATCH, key_size);
	uint8_t *values = xcalloc(BATCH, value_size);
	uint32_t count, place = 0;
	bool first = true;
	int rc = 0, result = -1;

	while (rc == 0) {
		count = BATCH;
		rc = bpf_map_lookup_batch(fd, first ? NULL : &place, &place,
			keys, values, &count, NULL);
		if (rc != 0 && errno != ENOENT)
			goto out;
		for (uint32_t i = 0; i < count; i++)
			cb(keys + i * key_size, values + i * value_size, arg);
		first = false;
	}
	result = 0;
out:
	free(keys);
	free(values);
	return result;
}
