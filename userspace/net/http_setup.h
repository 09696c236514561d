/*
 * What libcurl is told of a request: where to go, whom to trust, what to say.
 * Part of http_client, for nobody else.
 */
#ifndef NET_HTTP_SETUP_H
#define NET_HTTP_SETUP_H

#include "net/curl.h"
#include "net/http_client.h"

struct http_setup {
	CURL *easy; /* not owned */
	struct curl_slist *headers, *connect_to;
	char *authority; /* "https://127.0.0.1:6443", for messages */
	const char *why; /* what is wrong with the request, if libcurl
			  * does not say; or NULL */
};

/* s is all zero before, and must live as long as easy does, whatever is
 * returned. */
CURLcode http_setup(struct http_setup *s, CURL *easy,
	const struct http_request *r);
void http_setup_fini(struct http_setup *s);

#endif
