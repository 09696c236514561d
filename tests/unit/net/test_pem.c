/* Keys that are read leave nothing behind in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/pem.h"

#define MASK       0x5a
#define NUMBER     32
#define PIECE      (1u << 20)
#define REGION_MAX (1ul << 30) /* larger: a sanitizer's own */

/* Made for this test alone. */
static const char text[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/YPmOjpw6wU+3NkS\n"
	"kFFNS1uHrAVKf6swC2jMJjjMlvihRANCAAQYgQH9VK4xWzo3NObFYwxLgEJytxZN\n"
	"9sH7fSNn4+g8Vubgws6KrvyczsTt29vdcnCpanqZDLGHRyA3l2Savfjl\n"
	"-----END PRIVATE KEY-----\n";

/* Its number, masked so that this is none of those that are found. */
static const unsigned char masked[NUMBER] = {
	0xa7, 0xd9, 0xbc, 0x60, 0x60, 0x2a, 0xb1, 0x5f,
	0x64, 0x86, 0x83, 0x48, 0xca, 0x0b, 0x17, 0x11,
	0x01, 0xdd, 0xf6, 0x5f, 0x10, 0x25, 0xf1, 0x6a,
	0x51, 0x32, 0x96, 0x7c, 0x62, 0x96, 0xcc, 0xa2,
};

static bool
is_number(const unsigned char *at, bool backwards)
{
	for (size_t i = 0; i < NUMBER; i++)
		if ((at[i] ^ MASK) != masked[backwards ? NUMBER - 1 - i : i])
			return false;
	return true;
}

static unsigned
count_in(const unsigned char *bytes, size_t length)
{
	unsigned count = 0;

	for (size_t i = 0; i + NUMBER <= length; i++)
		count += is_number(bytes + i, false) ||
			 is_number(bytes + i, true);
	return count;
}

/* As it is written and as OpenSSL computes with it, in what was allocated. */
static unsigned
copies_in_memory(void)
{
	static unsigned char piece[PIECE + NUMBER];
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY);
	char line[512], mode[8];
	unsigned long begin, end;
	unsigned count = 0;

	assert_non_null(maps);
	assert_true(memory >= 0);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &begin, &end, mode) != 3 ||
			strncmp(mode, "rw", 2) != 0 || strchr(line, '/') ||
			strstr(line, "[stack]") || end - begin > REGION_MAX)
			continue;
		for (; begin < end; begin += PIECE) {
			size_t most = end - begin < sizeof(piece)
					      ? end - begin
					      : sizeof(piece);
			ssize_t n = pread(
				memory, piece, most, (off_t)begin);

			if (n <= 0)
				break;
			count += count_in(piece, (size_t)n);
			memset(piece, 0, sizeof(piece));
		}
	}
	close(memory);
	fclose(maps);
	return count;
}

static void
a_key_leaves_nothing_behind(void **state)
{
	struct slice slice = { text, sizeof(text) - 1 };
	struct error err = ERROR_INIT;
	EVP_PKEY *key = pem_key_read(slice, &err);

	(void)state;
	assert_non_null(key);
	/* The key's own; otherwise this test sees nothing. */
	assert_int_equal(copies_in_memory(), 1);
	EVP_PKEY_free(key);
	assert_int_equal(copies_in_memory(), 0);
}

/* The same functions, otherwise: what is no key ends as before. */
static void
what_is_no_key_is_refused(void **state)
{
	char cut[sizeof(text)];
	struct slice slice = { cut, sizeof(text) - 40 };
	struct error err = ERROR_INIT;

	(void)state;
	memcpy(cut, text, sizeof(text));
	assert_null(pem_key_read(slice, &err));
	assert_int_equal(copies_in_memory(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_leaves_nothing_behind),
		cmocka_unit_test(what_is_no_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
