/*
 * A name server on loopback that says what a test wants, right and wrong, over
 * UDP and TCP, on the test's own loop.
 */
#ifndef TESTS_LIB_DNS_SERVER_H
#define TESTS_LIB_DNS_SERVER_H

#include <stddef.h>
#include <stdint.h>

struct dns_server;
struct loop;

enum dns_record_type {
	DNS_RECORD_A = 1,
	DNS_RECORD_CNAME = 5,
	DNS_RECORD_AAAA = 28,
	DNS_RECORD_SRV = 33, /* data: "priority weight port target" */
};

/* Answered with each CNAME of the name, and what that leads to. */
struct dns_record {
	const char *name;
	uint16_t type;
	uint32_t ttl;
	const char *data;
};

enum dns_manner {
	DNS_WELL,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_REFUSED = 5,
	DNS_SILENT = 100,
	DNS_TRUNCATED,      /* over UDP no answers and TC; well over TCP */
	DNS_TRUNCATED_ONLY, /* the same, and no TCP */
	DNS_FORGED_ID,      /* first a message with another id, and 6.6.6.6 */
	DNS_FORGED_NAME,    /* first one to another question, and 6.6.6.6 */
	DNS_CUT,            /* the message ends in its last record */
	DNS_COUNT_LIES,     /* says that it has 500 records */
	DNS_MANY,           /* 3000 addresses, over TCP */
};

struct dns_rule {
	const char *name;
	uint16_t type; /* 0: any */
	enum dns_manner manner;
};

struct dns_server *dns_server_new(struct loop *loop);
void dns_server_free(struct dns_server *s);               /* NULL is fine */
const char *dns_server_where(const struct dns_server *s); /* "127.0.0.1:N" */
/* Both lists stay the caller's and end with a NULL name; a name that no record
 * has and no rule names does not exist. */
void dns_server_say(struct dns_server *s, const struct dns_record *records,
	const struct dns_rule *rules);
size_t dns_server_asked(const struct dns_server *s);
size_t dns_server_asked_tcp(const struct dns_server *s);

#endif
