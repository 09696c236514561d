/*
 * Certificates and keys as people hand them in: no text crashes a reader, what
 * is refused says why, and the facts of what is taken are texts of one line.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/certificate.h"

#define SIZE_MAX_FED (32u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

static void
line_check(const char *text, size_t room)
{
	size_t length = strnlen(text, room);

	expect(length < room);
	for (size_t i = 0; i < length; i++)
		expect((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice text = { (const char *)data, size };
	struct certificate_facts facts;
	struct error err = ERROR_INIT;

	if (size > SIZE_MAX_FED)
		return 0;
	if (certificate_read(text, &facts, &err) < 0) {
		expect(err.text[0] != '\0');
	} else {
		expect(facts.count > 0 && strlen(facts.fingerprint) == 95);
		line_check(facts.subject, sizeof(facts.subject));
		line_check(facts.issuer, sizeof(facts.issuer));
	}
	err = (struct error)ERROR_INIT;
	if (certificate_key_fits(text, text, &err) < 0)
		expect(err.text[0] != '\0');
	return 0;
}
