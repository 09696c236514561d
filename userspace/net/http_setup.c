/* What libcurl is told of a request. */
#include "net/http_setup.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define READ_SIZE 65536L

static bool
text_is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static struct curl_blob
blob_of(struct slice s)
{
	return (struct curl_blob){ (void *)s.data, s.length, CURL_BLOB_COPY };
}

/* Remembers the first option that libcurl refuses. */
#define SET(option, value)                                                     \
	do {                                                                   \
		if (rc == CURLE_OK)                                            \
			rc = curl.easy_setopt(s->easy, option, value);         \
	} while (0)

/* Whom the certificate must name: libcurl takes that from the URL, so the URL
 * gets that name, and where to go and whom to ask for are said apart. */
static CURLcode
set_server_name(struct http_setup *s, CURLU *url, const char *name)
{
	bool v6 = strchr(name, ':') != NULL;
	char *text = xasprintf(v6 ? "[%s]" : "%s", name);
	char *host = NULL, *port = NULL;
	CURLcode rc = CURLE_URL_MALFORMAT;
	CURLUcode bad;

	bad = curl.url_get(url, CURLUPART_HOST, &host, 0);
	if (bad == CURLUE_OK)
		bad = curl.url_get(
			url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	if (bad == CURLUE_OK)
		bad = curl.url_set(url, CURLUPART_HOST, text, 0);
	free(text);
	if (bad != CURLUE_OK)
		goto out;
	text = xasprintf("::%s:%s", host, port);
	s->connect_to = curl.slist_append(NULL, text);
	free(text);
	rc = CURLE_OK;
	SET(CURLOPT_CONNECT_TO, s->connect_to);
out:
	curl.free(host);
	curl.free(port);
	return rc;
}

static CURLcode
set_tls(struct http_setup *s, const struct http_tls *tls)
{
	struct curl_blob blob;
	CURLcode rc = CURLE_OK;
	struct str both;

	if (tls->ca.length > 0) {
		blob = blob_of(tls->ca);
		SET(CURLOPT_CAINFO_BLOB, &blob);
		/* or the system's folder would be trusted as well */
		SET(CURLOPT_CAPATH, NULL);
	}
	if (tls->cert.length > 0) {
		/* Who shares a connection has the same certificate: libcurl
		 * looks at that only, so the key goes into it, too. */
		str_init(&both);
		str_append(&both, tls->cert.data, tls->cert.length);
		str_putc(&both, '\n');
		str_append(&both, tls->key.data, tls->key.length);
		blob = blob_of((struct slice){ both.data, both.length });
		SET(CURLOPT_SSLCERT_BLOB, &blob);
		SET(CURLOPT_SSLKEY_BLOB, &blob);
		explicit_bzero(both.data, both.length);
		str_fini(&both);
	}
	/* or a key with a pass phrase would be asked for at the terminal */
	SET(CURLOPT_KEYPASSWD, "");
	SET(CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	return rc;
}

static CURLcode
set_method(struct http_setup *s, const struct http_request *r)
{
	const char *method = r->method == NULL ? "GET" : r->method;
	bool sends = r->body.length > 0 || text_is(method, "POST") ||
		text_is(method, "PUT") || text_is(method, "PATCH");
	CURLcode rc = CURLE_OK;

	if (sends) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.length);
		SET(CURLOPT_COPYPOSTFIELDS,
			r->body.length > 0 ? r->body.data : "");
	} else if (text_is(method, "HEAD")) {
		SET(CURLOPT_NOBODY, 1L);
	}
	SET(CURLOPT_CUSTOMREQUEST, method);
	return rc;
}

/* name: with its colon. */
static bool
has_header(const char *const *headers, const char *name)
{
	size_t length = strlen(name);

	for (; headers != NULL && *headers != NULL; headers++)
		if (strlen(*headers) >= length &&
			slice_equal_nocase(
				(struct slice){ *headers, length },
				(struct slice){ name, length }))
			return true;
	return false;
}

static void
add_header(struct http_setup *s, const char *line)
{
	struct curl_slist *all = curl.slist_append(s->headers, line);

	if (all == NULL)
		log_fatal("memory: no room for a header");
	s->headers = all;
}

static CURLcode
set_headers(struct http_setup *s, const struct http_request *r,
	const char *authority)
{
	CURLcode rc = CURLE_OK;
	char *host;

	if (s->connect_to != NULL && !has_header(r->headers, "host:")) {
		host = xasprintf("Host: %s", authority);
		add_header(s, host);
		free(host);
	}
	/* None of libcurl's own: a form, a wait for 100. */
	if (!has_header(r->headers, "content-type:"))
		add_header(s, "Content-Type:");
	add_header(s, "Expect:");
	for (const char *const *h = r->headers; h != NULL && *h != NULL; h++) {
		if (strpbrk(*h, "\r\n") != NULL) {
			s->why = "a line break in a header";
			return CURLE_BAD_FUNCTION_ARGUMENT;
		}
		add_header(s, *h);
	}
	SET(CURLOPT_HTTPHEADER, s->headers);
	SET(CURLOPT_USERAGENT, "gloo-gateway");
	return rc;
}

static CURLcode
set_ways(struct http_setup *s, const struct http_request *r)
{
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	/* "" is not the environment's. */
	SET(CURLOPT_PROXY, r->proxy == NULL ? "" : r->proxy);
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (r->unix_socket != NULL)
		SET(CURLOPT_UNIX_SOCKET_PATH, r->unix_socket);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* a cancelled call waits for no name */
	SET(CURLOPT_BUFFERSIZE, READ_SIZE);
	return rc;
}

/* "127.0.0.1:6443", without the port that goes without saying. */
static char *
authority_of(CURLU *url)
{
	char *host = NULL, *port = NULL, *authority = NULL;

	if (curl.url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		curl.url_get(url, CURLUPART_PORT, &port, 0);
		authority = xasprintf("%s%s%s", host, port == NULL ? "" : ":",
			port == NULL ? "" : port);
	}
	curl.free(host);
	curl.free(port);
	return authority;
}

static CURLcode
set_url(struct http_setup *s, const struct http_request *r)
{
	const char *name = r->tls == NULL ? NULL : r->tls->server_name;
	char *authority = NULL, *scheme = NULL, *text = NULL;
	CURLcode rc = CURLE_URL_MALFORMAT;
	CURLU *url = curl.url();

	if (url == NULL)
		log_fatal("memory: no room for a URL");
	if (curl.url_set(url, CURLUPART_URL, r->url,
		    CURLU_DISALLOW_USER | CURLU_PATH_AS_IS) != CURLUE_OK ||
		curl.url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		(authority = authority_of(url)) == NULL)
		goto out;
	free(s->authority);
	s->authority = xasprintf("%s://%s", scheme, authority);
	rc = CURLE_OK;
	if (name != NULL && text_is(scheme, "https"))
		rc = set_server_name(s, url, name);
	if (rc == CURLE_OK &&
		curl.url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK)
		rc = CURLE_URL_MALFORMAT;
	SET(CURLOPT_URL, text);
	/* Many calls on one connection: wait until it is known what the other
	 * side speaks. Without TLS that would be until it has answered. */
	SET(CURLOPT_PIPEWAIT, text_is(scheme, "https") ? 1L : 0L);
	if (rc == CURLE_OK)
		rc = set_headers(s, r, authority);
out:
	curl.free(text);
	curl.free(scheme);
	free(authority);
	curl.url_cleanup(url);
	return rc;
}

CURLcode
http_setup(struct http_setup *s, CURL *easy, const struct http_request *r)
{
	static const struct http_tls system_roots;
	CURLcode rc;

	s->easy = easy;
	/* until it is known; there may be a password in it */
	s->authority = xstrdup(
		strchr(r->url, '@') == NULL ? r->url : "the request");
	rc = set_url(s, r);
	if (rc == CURLE_OK)
		rc = set_ways(s, r);
	if (rc == CURLE_OK)
		rc = set_tls(s, r->tls == NULL ? &system_roots : r->tls);
	if (rc == CURLE_OK)
		rc = set_method(s, r);
	return rc;
}

void
http_setup_fini(struct http_setup *s)
{
	/* Where libcurl could not be loaded there is no list. */
	if (s->headers != NULL)
		curl.slist_free_all(s->headers);
	if (s->connect_to != NULL)
		curl.slist_free_all(s->connect_to);
	free(s->authority);
}
