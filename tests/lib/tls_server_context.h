/* What the servers of the tests are in TLS: OpenSSL's context of one. */
#ifndef TESTS_TLS_SERVER_CONTEXT_H
#define TESTS_TLS_SERVER_CONTEXT_H

#include <openssl/ssl.h>

#include "tests/lib/certificates.h"

struct tls_server_options {
	const struct certificate *own;
	const struct certificate *chain; /* sent along; or NULL */
	const struct certificate *wants; /* clients' authority; or NULL */
	int version;                     /* 0: any */
	const char *alpn; /* chosen if it is offered; NULL: none */
};

/* For the caller to free. It refers to alpn. Ends the program when it
 * cannot. */
SSL_CTX *tls_server_context_new(const struct tls_server_options *options);

#endif
