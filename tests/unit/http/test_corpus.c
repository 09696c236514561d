/*
 * Public corpora, replayed: what h2o's fuzzer found worth keeping must be
 * decided alike however cut, and what llhttp refuses when strict we refuse.
 * They lie beside the checkout, in $GG_SHARED or ../shared; skipped without.
 */
#include "http/head.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/http/feed_connection.h"

#define H2O_FILES    1972
#define LLHTTP_CASES 150 /* strict ones, at least */
#define FILE_MAX     (64 << 10)

static char bytes[FILE_MAX];
static unsigned files, taken, refused;
static const struct feed_parser requests = { .limits = &http_limits_default };

/* The folder below data/, or NULL after printing why there is none. */
static const char *
corpus_find(const char *folder, char *path, size_t size)
{
	const char *shared = getenv("GG_SHARED");

	snprintf(path, size, "%s/data/%s", shared ? shared : "../shared",
		folder);
	if (access(path, R_OK) == 0)
		return path;
	print_message("skipped: %s is not there\n", path);
	return NULL;
}

static size_t
file_load(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, size, f);
	fclose(f);
	return n;
}

/* Takes out the marks between two writes. */
static size_t
marks_cut(char *text, size_t length)
{
	static const char mark[] = "\n--MARK--\n";
	size_t n = sizeof(mark) - 1;
	char *p = text;

	while ((p = memmem(p, length - (size_t)(p - text), mark, n))) {
		length -= n;
		memmove(p, p + n, length - (size_t)(p - text));
	}
	return length;
}

static int
h2o_replay(const char *path, const struct stat *st, int type, struct FTW *w)
{
	struct feed_connection got;
	size_t n;

	(void)st;
	(void)w;
	if (type != FTW_F)
		return 0;
	n = marks_cut(bytes, file_load(path, bytes, sizeof(bytes)));
	got = feed_connection(&requests, bytes, n);
	if (!got.sound)
		fail_msg("%s: cuts change the result", path);
	files++;
	taken += got.messages;
	refused += got.refused;
	return 0;
}

static int
entry_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	(void)type;
	(void)w;
	return remove(path);
}

static void
test_h2o(void **state)
{
	char path[512], command[1024], folder[] = "/tmp/gg-corpus-XXXXXX";

	(void)state;
	if (!corpus_find("h2o-fuzz/http1.tar.gz", path, sizeof(path)))
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command), "tar -xzf '%s' -C %s", path, folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(nftw(folder, h2o_replay, 16, FTW_PHYS), 0);
	assert_int_equal(
		nftw(folder, entry_remove, 16, FTW_PHYS | FTW_DEPTH), 0);
	print_message("%u files, %u requests taken, %u files refused\n", files,
		taken, refused);
	assert_int_equal(files, H2O_FILES);
	assert_true(taken > 0 && refused > 0);
}

/* Cases that llhttp refuses for a reason that is not ours. */
static const char *const llhttp_exceptions[] = {
	/* It knows methods of other protocols; to us they are tokens. */
	"HTTP protocol and ANNOUNCE method",
};

static unsigned llhttp_cases;

static bool
is_exception(const char *title)
{
	size_t count = sizeof(llhttp_exceptions) / sizeof(*llhttp_exceptions);

	for (size_t i = 0; i < count; i++)
		if (strcmp(title, llhttp_exceptions[i]) == 0)
			return true;
	return false;
}

/* \r, \n, \t, \f, \xHH and \NNN; returns how many bytes of text it took. */
static size_t
escape_read(const char *text, char *out)
{
	static const char letters[] = "rntf", meant[] = "\r\n\t\f";
	const char *letter = text[1] ? strchr(letters, text[1]) : NULL;
	unsigned value;
	int n = 0;

	if (letter) {
		*out = meant[letter - letters];
		return 2;
	}
	if (sscanf(text, "\\x%2x%n", &value, &n) == 1 ||
		sscanf(text, "\\%3o%n", &value, &n) == 1) {
		*out = (char)value;
		return (size_t)n;
	}
	*out = *text;
	return 1;
}

/* The bytes of an http block, as the corpus' PROVENANCE.md says. */
static size_t
block_bytes(const char *text, size_t length, char *out)
{
	size_t n = 0, i = 0;

	if (length > 0 && text[length - 1] == '\n')
		length--;
	while (i < length) {
		if (text[i] == '\\' && i + 1 < length && text[i + 1] == '\n') {
			i += 2;
		} else if (text[i] == '\n') {
			out[n++] = '\r';
			out[n++] = '\n';
			i++;
		} else if (text[i] == '\\') {
			i += escape_read(text + i, out + n++);
		} else {
			out[n++] = text[i++];
		}
	}
	return n;
}

/* The text between "```name\n" and "```"; *at moves behind it. */
static struct slice
block_find(const char **at, const char *name)
{
	char fence[32];
	const char *start, *end;

	snprintf(fence, sizeof(fence), "\n```%s\n", name);
	start = strstr(*at, fence);
	assert_non_null(start);
	start += strlen(fence);
	end = strstr(start, "```");
	assert_non_null(end);
	*at = end;
	return (struct slice){ start, (size_t)(end - start) };
}

/* Errors of its interface (a pause, an upgrade), not of the message. */
static bool
log_is_refusal(struct slice log)
{
	static const char word[] = "error code=";
	const char *found =
		memmem(log.data, log.length, word, sizeof(word) - 1);
	int code = found ? atoi(found + sizeof(word) - 1) : 0;

	return code != 0 && code != 21 && code != 22;
}

static void
llhttp_case(const char *title, const char *at, bool response)
{
	struct feed_parser parser = { .response = response,
		.request_method = HTTP_GET,
		.limits = &http_limits_default };
	struct slice http = block_find(&at, "http");
	struct slice log = block_find(&at, "log");
	size_t n = block_bytes(http.data, http.length, bytes);
	struct feed_connection got = feed_connection(&parser, bytes, n);

	llhttp_cases++;
	taken += got.messages > 0 && !got.refused;
	refused += got.refused;
	if (!got.sound)
		fail_msg("%s: cuts change the result", title);
	if (log_is_refusal(log) && !got.refused && !is_exception(title))
		fail_msg("%s: llhttp refuses it", title);
}

static void
llhttp_replay(const char *path, bool response)
{
	static char text[FILE_MAX + 1];
	const char *at = text, *meta, *title;
	char name[128];

	text[file_load(path, text, FILE_MAX)] = '\0';
	while ((meta = strstr(at, "<!-- meta={"))) {
		const char *type = response ? "\"response\"" : "\"request\"";
		size_t line = strcspn(meta, "\n");

		title = memrchr(text, '#', (size_t)(meta - text));
		title = title ? title + 1 : meta;
		snprintf(name, sizeof(name), "%.*s",
			(int)strcspn(title + 1, "\n"), title + 1);
		at = meta + line;
		if (memmem(meta, line, type, strlen(type)))
			llhttp_case(name, at, response);
	}
}

static int
llhttp_file(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st;
	(void)w;
	if (type == FTW_F && strstr(path, ".md") && !strstr(path, "PROVEN"))
		llhttp_replay(path, strstr(path, "/response/") != NULL);
	return 0;
}

static void
test_llhttp(void **state)
{
	char path[512];

	(void)state;
	if (!corpus_find("llhttp", path, sizeof(path)))
		skip();
	taken = refused = 0;
	assert_int_equal(nftw(path, llhttp_file, 16, FTW_PHYS), 0);
	print_message("%u strict cases, %u taken, %u refused\n", llhttp_cases,
		taken, refused);
	assert_true(llhttp_cases >= LLHTTP_CASES);
	assert_true(taken > 0 && refused > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h2o),
		cmocka_unit_test(test_llhttp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
