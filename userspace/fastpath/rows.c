/* gg_backend of every set of maps, mapped into memory. */
#include "fastpath/rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"

#define ROWS_BYTES (GG_BACKENDS_MAX * sizeof(struct gg_backend))
#define ROW_WORDS  (sizeof(struct gg_backend) / sizeof(uint64_t))
#define WORD_WAY   4 /* port, slot, ifindex: what is before is not the way */
#define WORD_PATH  7 /* path_mtu: the program's own */

_Static_assert(offsetof(struct gg_backend, port_be) == 8 * WORD_WAY &&
		offsetof(struct gg_backend, ifindex) == 8 * WORD_WAY + 4 &&
		offsetof(struct gg_backend, to_mac) == 8 * WORD_WAY + 8 &&
		offsetof(struct gg_backend, path_mtu) == 8 * WORD_PATH,
	"a row is stored in words");

int
rows_open(struct rows *r, const struct sets *sets, struct error *err)
{
	for (; r->count < sets->count; r->count++) {
		int fd = sets->list[r->count].maps.fd[MAP_BACKEND];
		void *at = fd < 0 ? MAP_FAILED :
				    mmap(NULL, ROWS_BYTES,
					    PROT_READ | PROT_WRITE, MAP_SHARED,
					    fd, 0);

		if (at == MAP_FAILED)
			return error_errno(err, fd < 0 ? ENOENT : errno,
				"cannot map " GG_MAP_BACKEND);
		r->mapped = xreallocarray(r->mapped, r->count + 1,
			sizeof(*r->mapped));
		r->mapped[r->count] = at;
	}
	return 0;
}

void
rows_close(struct rows *r)
{
	for (size_t i = 0; i < r->count; i++)
		munmap(r->mapped[i], ROWS_BYTES);
	free(r->mapped);
	*r = (struct rows){ 0 };
}

static void
row_store(uint64_t *at, const uint64_t *words)
{
	bool moves = memcmp(at, words, (WORD_WAY + 1) * sizeof(*at)) != 0;
	struct gg_backend quiet;
	uint64_t word;

	if (moves) {
		memcpy(&quiet, at, sizeof(quiet));
		quiet.ifindex = 0;
		memcpy(&word, (const uint64_t *)&quiet + WORD_WAY,
			sizeof(word));
		__atomic_store_n(&at[WORD_WAY], word, __ATOMIC_SEQ_CST);
	}
	for (size_t i = 0; i < ROW_WORDS; i++) {
		if (i == WORD_PATH && !moves)
			continue;
		if (i != WORD_WAY && at[i] != words[i])
			__atomic_store_n(&at[i], words[i], __ATOMIC_SEQ_CST);
	}
	if (at[WORD_WAY] != words[WORD_WAY])
		__atomic_store_n(&at[WORD_WAY], words[WORD_WAY],
			__ATOMIC_SEQ_CST);
}

void
rows_store(struct rows *r, uint16_t index, const struct gg_backend *row)
{
	uint64_t words[ROW_WORDS];

	memcpy(words, row, sizeof(words));
	for (size_t i = 0; i < r->count; i++)
		row_store((uint64_t *)&r->mapped[i][index], words);
}
