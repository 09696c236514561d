/* What a name server's message says. */
#include "net/dns_answer.h"

#include <ares.h>
#include <ctype.h>
#include <limits.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define HEAD_BYTES   12
#define RECORD_BYTES 10 /* type, class, TTL, length; after the name */
#define TYPE_CNAME   5
#define ALIASES_MAX  16 /* in one chain */
#define HOST_MAX     253

/* ---- the TTL, and circles */

struct walk {
	const uint8_t *bytes;
	size_t length, at;
	char *owners[ALIASES_MAX]; /* of aliases seen; ares_free_string */
	size_t owner_count;
	uint32_t ttl_s;
	bool circle;
};

static uint16_t
read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* The name there, to be freed with ares_free_string; NULL: there is none. */
static char *
walk_name(const struct walk *w, size_t at, size_t *used)
{
	char *name = NULL;
	long length;

	if (at >= w->length ||
		ares_expand_name(w->bytes + at, w->bytes, (int)w->length, &name,
			&length) != ARES_SUCCESS ||
		length <= 0)
		return NULL;
	*used = (size_t)length;
	return name;
}

static bool
walk_question(struct walk *w)
{
	size_t used;
	char *name = walk_name(w, w->at, &used);

	if (name == NULL)
		return false;
	ares_free_string(name);
	w->at += used + 4;
	return w->at <= w->length;
}

/* owner becomes ours. */
static void
walk_alias(struct walk *w, char *owner, size_t data_at)
{
	size_t used;
	char *target = walk_name(w, data_at, &used);

	if (target == NULL || w->owner_count == ALIASES_MAX) {
		w->circle |= target != NULL;
		ares_free_string(owner);
		if (target != NULL)
			ares_free_string(target);
		return;
	}
	w->owners[w->owner_count++] = owner;
	for (size_t i = 0; i < w->owner_count; i++)
		w->circle |= strcasecmp(w->owners[i], target) == 0;
	ares_free_string(target);
}

static bool
walk_record(struct walk *w, enum dns_type type)
{
	size_t used, data_length;
	char *owner = walk_name(w, w->at, &used);
	const uint8_t *r;
	uint32_t ttl_s;

	if (owner == NULL || w->length - w->at < used + RECORD_BYTES) {
		if (owner != NULL)
			ares_free_string(owner);
		return false;
	}
	r = w->bytes + w->at + used;
	ttl_s = (uint32_t)read16(r + 4) << 16 | read16(r + 6);
	/* RFC 2181 8: with the highest bit it counts as 0. */
	ttl_s = ttl_s > INT32_MAX ? 0 : ttl_s;
	data_length = read16(r + 8);
	w->at += used + RECORD_BYTES;
	if (read16(r) == TYPE_CNAME)
		walk_alias(w, owner, w->at);
	else
		ares_free_string(owner);
	if ((read16(r) == TYPE_CNAME || read16(r) == type) && ttl_s < w->ttl_s)
		w->ttl_s = ttl_s;
	w->at += data_length;
	return w->at <= w->length;
}

/* False: it cannot be read to the end of its answers. */
static bool
walk_answers(struct walk *w, enum dns_type type)
{
	size_t questions, answers;

	if (w->length < HEAD_BYTES || w->length > INT_MAX)
		return false;
	questions = read16(w->bytes + 4);
	answers = read16(w->bytes + 6);
	w->at = HEAD_BYTES;
	while (questions-- > 0)
		if (!walk_question(w))
			return false;
	while (answers-- > 0)
		if (!walk_record(w, type))
			return false;
	return true;
}

static void
walk_fini(struct walk *w)
{
	for (size_t i = 0; i < w->owner_count; i++)
		ares_free_string(w->owners[i]);
}

/* ---- addresses */

/* ttls: room for RESOLVER_ADDRESSES_MAX of them. */
static int
read_a(struct dns_answer *a, const uint8_t *bytes, int length)
{
	struct ares_addrttl *ttls =
		xcalloc(RESOLVER_ADDRESSES_MAX, sizeof(*ttls));
	int count = RESOLVER_ADDRESSES_MAX;
	int rc = ares_parse_a_reply(bytes, length, NULL, ttls, &count);

	if (rc != ARES_SUCCESS)
		count = 0;
	a->addrs = xcalloc((size_t)count + 1, sizeof(*a->addrs));
	for (int i = 0; i < count; i++) {
		struct sockaddr_in sin = { .sin_family = AF_INET,
			.sin_addr = ttls[i].ipaddr };

		addr_from_sockaddr(&a->addrs[a->addr_count++],
			(const struct sockaddr *)&sin);
	}
	free(ttls);
	return rc;
}

static int
read_aaaa(struct dns_answer *a, const uint8_t *bytes, int length)
{
	struct ares_addr6ttl *ttls =
		xcalloc(RESOLVER_ADDRESSES_MAX, sizeof(*ttls));
	int count = RESOLVER_ADDRESSES_MAX;
	int rc = ares_parse_aaaa_reply(bytes, length, NULL, ttls, &count);

	if (rc != ARES_SUCCESS)
		count = 0;
	a->addrs = xcalloc((size_t)count + 1, sizeof(*a->addrs));
	for (int i = 0; i < count; i++)
		memcpy(a->addrs[a->addr_count++].ip, &ttls[i].ip6addr, 16);
	free(ttls);
	return rc;
}

/* ---- services */

/* It is going to be asked for, and to be the Host of requests. */
static bool
host_is_plain(const char *host)
{
	size_t length = strlen(host);

	if (length == 0 || length > HOST_MAX || host[0] == '.')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)host[i]) &&
			strchr("-_.", host[i]) == NULL)
			return false;
	return true;
}

static int
service_compare(const void *a, const void *b)
{
	const struct resolver_service *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return strcasecmp(x->host, y->host);
}

static void
services_sort(struct dns_answer *a)
{
	size_t kept = 0;

	if (a->service_count > 0)
		qsort(a->services, a->service_count, sizeof(*a->services),
			service_compare);
	for (size_t i = 0; i < a->service_count; i++) {
		if (kept < RESOLVER_SERVICES_MAX &&
			(kept == 0 || service_compare(&a->services[kept - 1],
					      &a->services[i]) != 0))
			a->services[kept++] = a->services[i];
		else
			free((char *)a->services[i].host);
	}
	a->service_count = kept;
}

static int
read_srv(struct dns_answer *a, const uint8_t *bytes, int length)
{
	struct ares_srv_reply *first = NULL, *s;
	int rc = ares_parse_srv_reply(bytes, length, &first);
	bool denied = false;
	size_t count = 0;

	if (rc != ARES_SUCCESS)
		return rc;
	for (s = first; s != NULL; s = s->next)
		count++;
	a->services = xcalloc(count + 1, sizeof(*a->services));
	for (s = first; s != NULL; s = s->next) {
		/* RFC 2782: the root as the target says that there is none. */
		if (s->host[0] == '\0' || strcmp(s->host, ".") == 0)
			denied = true;
		else if (host_is_plain(s->host) && s->port != 0)
			a->services[a->service_count++] =
				(struct resolver_service){ xstrdup(s->host),
					s->priority, s->weight, s->port };
	}
	ares_free_data(first);
	services_sort(a);
	if (denied)
		a->problem = "is said to have no service";
	else if (count > 0)
		a->problem = "has a service that has no host's name, or no "
			     "port";
	/* What is wrong is no evidence that there is nothing. */
	return denied || count == 0 ? ARES_SUCCESS : ARES_EBADRESP;
}

/* ---- all */

static int
read_records(struct dns_answer *a, const uint8_t *bytes, int length,
	enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return read_a(a, bytes, length);
	case DNS_AAAA:
		return read_aaaa(a, bytes, length);
	default:
		return read_srv(a, bytes, length);
	}
}

void
dns_answer_read(struct dns_answer *a, const uint8_t *bytes, size_t length,
	enum dns_type type)
{
	struct walk w = {
		.bytes = bytes, .length = length, .ttl_s = INT32_MAX
	};
	bool whole = walk_answers(&w, type);
	int rc;

	walk_fini(&w);
	memset(a, 0, sizeof(*a));
	a->ttl_s = w.ttl_s;
	rc = whole ? read_records(a, bytes, (int)length, type) : ARES_EBADRESP;
	if (a->addr_count > 0 || a->service_count > 0) {
		a->problem = NULL;
		a->verdict = RESOLVER_FOUND;
	} else if (rc != ARES_SUCCESS && rc != ARES_ENODATA) {
		if (a->problem == NULL)
			a->problem = "was answered with what cannot be read";
		a->verdict = RESOLVER_FAILED;
	} else if (w.circle) {
		a->problem = "leads in a circle of aliases";
		a->verdict = RESOLVER_FAILED;
	} else {
		a->verdict = RESOLVER_NO_DATA;
	}
}

void
dns_answer_fini(struct dns_answer *a)
{
	for (size_t i = 0; i < a->service_count; i++)
		free((char *)a->services[i].host);
	free(a->services);
	free(a->addrs);
	memset(a, 0, sizeof(*a));
}
