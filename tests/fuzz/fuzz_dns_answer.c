/*
 * Messages of name servers: whatever is made of one is what the header says;
 * names of hosts are nothing but that.
 */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "net/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
services_check(const struct dns_answer *a)
{
	for (size_t i = 0; i < a->service_count; i++) {
		const struct resolver_service *s = &a->services[i];

		assert(s->port != 0 && s->host[0] != '\0');
		for (const char *p = s->host; *p != '\0'; p++)
			assert(isalnum((unsigned char)*p) ||
				strchr("-_.", *p) != NULL);
		assert(i == 0 || s[-1].priority <= s->priority);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_SRV };
	enum dns_type type;
	struct dns_answer a;
	uint8_t *message;

	if (size == 0)
		return 0;
	type = types[data[0] % 3];
	/* At the end of its memory, so that reading on is seen. */
	message = malloc(size - 1);
	if (size > 1)
		memcpy(message, data + 1, size - 1);
	dns_answer_read(&a, message, size - 1, type);
	assert((a.verdict == RESOLVER_FOUND) ==
		(a.addr_count + a.service_count > 0));
	assert(a.verdict != RESOLVER_FAILED || a.problem != NULL);
	assert(a.addr_count <= RESOLVER_ADDRESSES_MAX);
	assert(a.service_count <= RESOLVER_SERVICES_MAX);
	assert(a.ttl_s <= INT32_MAX);
	assert(type == DNS_SRV ? a.addr_count == 0 : a.service_count == 0);
	services_check(&a);
	dns_answer_fini(&a);
	free(message);
	return 0;
}
