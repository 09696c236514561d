/* The marks of the sources that may have an entry. */
#include "fastpath/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fastpath/entries.h"
#include "fastpath/inner.h"

#define MARKS_BYTES (GG_MARK_WORDS * sizeof(uint64_t))
#define LOOK_MS     60000
/* Fewer cost nobody anything: one of 32 is looked up for nothing. */
#define MARKS_FEW (GG_MARKS / 32)

#define HALF(i) (UINT64_C(0xffffffff) << 32 * (i))
#define BOTH    (HALF(0) | HALF(1))

struct fill {
	uint64_t *words;
	uint64_t halves; /* that are to be set */
};

static void
fill_set(const struct fill *f, uint32_t mark)
{
	__atomic_fetch_or(&f->words[GG_MARK_WORD(mark)],
		GG_MARK_BITS(mark) & f->halves, __ATOMIC_SEQ_CST);
}

static void
fill4(const void *key, const void *value, void *arg)
{
	uint64_t word;

	(void)value;
	memcpy(&word, key, sizeof(word));
	fill_set(arg, GG_MARK4(word));
}

static void
fill6(const void *key, const void *value, void *arg)
{
	uint64_t words[2];
	uint32_t last;

	(void)value;
	memcpy(words, key, sizeof(words));
	memcpy(&last, (const char *)key + sizeof(words), sizeof(last));
	fill_set(arg, GG_MARK6(words[0], words[1], (uint64_t)last));
}

static int
fill(const struct maps *m, uint64_t *words, uint64_t halves, struct error *err)
{
	struct fill f = { words, halves };

	if (entries_each(m->fd[MAP_RL4], sizeof(struct gg_rl4_key),
		    sizeof(struct gg_rl4), fill4, &f) == 0 &&
		entries_each(m->fd[MAP_RL6], sizeof(struct gg_rl6_key),
			sizeof(struct gg_rl6), fill6, &f) == 0)
		return 0;
	return error_errno(err, errno,
		"cannot read " GG_MAP_RL4 " and " GG_MAP_RL6);
}

static uint64_t *
words_map(const struct maps *m, struct error *err)
{
	int fd = m->fd[MAP_MARK];
	void *at = MAP_FAILED;

	if (fd < 0)
		errno = ENOENT;
	else
		at = mmap(NULL, MARKS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	if (at == MAP_FAILED) {
		error_errno(err, errno, "cannot map " GG_MAP_MARK);
		return NULL;
	}
	return at;
}

int
marks_fill(const struct maps *m, struct error *err)
{
	uint64_t *words = words_map(m, err);
	int rc;

	if (words == NULL)
		return -1;
	rc = fill(m, words, BOTH, err);
	munmap(words, MARKS_BYTES);
	return rc;
}

static int
rebuild(const struct maps *m, uint64_t *words, struct error *err)
{
	/* Who did this before may have been killed at it; and where the kernel
	 * cannot wait, nothing is cleared. */
	if (fill(m, words, BOTH, err) != 0 ||
		maps_await_programs(err) != 0)
		return -1;
	for (int half = 0; half < 2; half++) {
		for (size_t i = 0; i < GG_MARK_WORDS; i++)
			__atomic_fetch_and(&words[i], ~HALF(half),
				__ATOMIC_SEQ_CST);
		if (maps_await_programs(err) != 0 ||
			fill(m, words, HALF(half), err) != 0)
			return -1;
	}
	return 0;
}

int
marks_rebuild(const struct maps *m, struct error *err)
{
	uint64_t *words = words_map(m, err);
	int rc;

	if (words == NULL)
		return -1;
	rc = rebuild(m, words, err);
	munmap(words, MARKS_BYTES);
	return rc;
}

int64_t
marks_count(const struct maps *m)
{
	const uint64_t *words = words_map(m, NULL);
	int64_t count = 0;

	if (words == NULL)
		return -1;
	for (size_t i = 0; i < GG_MARK_WORDS; i++)
		count += __builtin_popcountll(
			(words[i] | words[i] >> 32) & UINT32_MAX);
	munmap((void *)words, MARKS_BYTES);
	return count;
}

/* ---- when */

/* The folder that who shares the maps shares too; closing it unlocks. -1:
 * somebody else is at it, or nobody can know. */
static int
turn_take(const struct fastpath *f)
{
	int fd = f->pin_path == NULL ?
		-1 : open(f->pin_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int64_t
marks_sum(const struct fastpath *f)
{
	int64_t sum = 0, count;

	for (size_t i = 0; i < f->sets.count; i++) {
		count = marks_count(&f->sets.list[i].maps);
		sum += count > 0 ? count : 0;
	}
	return sum;
}

static void
all_rebuild(const struct fastpath *f)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < f->sets.count; i++) {
		if (marks_rebuild(&f->sets.list[i].maps, &err) != 0)
			log_debug("fastpath: marks of sources stay: %s",
				err.text);
	}
}

void
fastpath_marks_look(struct fastpath *f, uint64_t now_ms)
{
	int turn;

	if (f->sets.count == 0 || now_ms < f->marks.next_ms)
		return;
	f->marks.next_ms = now_ms + LOOK_MS;
	/* Once in any case: a program before ours may have left none. */
	if (f->marks.looked && marks_sum(f) < MARKS_FEW + 2 * f->marks.last)
		return;
	turn = turn_take(f);
	if (turn < 0)
		return;
	all_rebuild(f);
	close(turn);
	f->marks.looked = true;
	f->marks.last = marks_sum(f);
}
