/*
 * What a signature of AWS costs one thread: a call of Lambda with a body of
 * 1 KiB and a session token, with the key of the day kept and with a new one
 * each time. Prints figures and judges none.
 *
 *     sign [SIGNATURES [BODY_BYTES]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kinds/aws/sigv4.h"

#define ROUNDS 7

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ns for each signature, the fastest round of all. */
static double
measure(const struct sigv4_request *r, unsigned long count, bool kept)
{
	struct sigv4_key key = { .of = 0 };
	char date[SIGV4_DATE_SIZE];
	struct str authorization;
	double best = 0;

	str_init(&authorization);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();
		double each;

		for (unsigned long i = 0; i < count; i++) {
			if (!kept)
				sigv4_key_forget(&key);
			str_clear(&authorization);
			if (sigv4_sign(&key, r, date, &authorization, NULL) !=
				0)
				abort();
		}
		each = (double)(now_ns() - start) / (double)count;
		if (round == 0 || each < best)
			best = each;
	}
	str_fini(&authorization);
	return best;
}

int
main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	size_t length = argc > 2 ? strtoul(argv[2], NULL, 10) : 1024;
	char *body = xcalloc(1, length + 1), *token = xcalloc(1, 901);
	struct sigv4_field fields[] = {
		{ slice_of("host"),
			slice_of("lambda.us-east-2.amazonaws.com") },
		{ slice_of("content-type"), slice_of("application/json") },
		{ slice_of("x-amz-invocation-type"),
			slice_of("RequestResponse") },
		{ slice_of("x-amz-log-type"), slice_of("None") },
		{ slice_of("x-amz-security-token"), { token, 900 } },
	};
	struct sigv4_request r = { .method = slice_of("POST"),
		.path = slice_of("/2015-03-31/functions/hello-world/"
				 "invocations"),
		.query = slice_of("Qualifier=%24LATEST"),
		.fields = fields,
		.field_count = ARRAY_SIZE(fields),
		.body = { body, length },
		.access_key = slice_of("ASIAEXAMPLEEXAMPLE12"),
		.secret_key =
			slice_of("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
		.region = slice_of("us-east-2"),
		.service = slice_of("lambda"),
		.now_ms = clock_realtime_ms() };

	memset(body, 'b', length);
	memset(token, 't', 900);
	printf("signature of a body of %zu bytes, key kept: %.2f us\n", length,
		measure(&r, count, true) / 1000);
	printf("signature of a body of %zu bytes, new key:  %.2f us\n", length,
		measure(&r, count, false) / 1000);
	free(token);
	free(body);
	return 0;
}
