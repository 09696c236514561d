/* Whom to trust and as whom to come. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/pem.h"
#include "net/tls_inner.h"

/* Records that arrive together are received together. The buffer is there only
 * while something is in it. */
#define READ_BUFFER   (64u << 10)
#define ALPN_LIST_MAX 256

/* ---- roots */

struct tls_roots {
	struct tls_roots *next;
	X509_STORE *store;
	unsigned char digest[32]; /* SHA-256 of the text */
	size_t refs;
};

/* All contexts of the process that trust the same share them: those of a
 * system take a megabyte. */
static pthread_mutex_t roots_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct tls_roots *roots_all;

static X509_STORE *
store_fill(struct slice pem, struct error *err)
{
	X509_STORE *store = X509_STORE_new();
	struct pem_certificates reader;
	X509 *cert;

	pem_certificates_init(&reader, pem);
	while ((cert = pem_certificates_next(&reader, err)) != NULL) {
		/* One that is there twice is no failure. */
		if (store == NULL || X509_STORE_add_cert(store, cert) != 1) {
			reader.failed = true;
			error_set(err, ERROR_SYSTEM, "certificate %zu: %s",
				reader.count, pem_library_problem());
		}
		X509_free(cert);
	}
	if (pem_certificates_fini(&reader) < 0) {
		X509_STORE_free(store);
		return NULL;
	}
	/* What is trusted need not be an authority's own. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	return store;
}

static struct tls_roots *
roots_find(const unsigned char digest[32])
{
	struct tls_roots *r = roots_all;

	while (r != NULL && memcmp(r->digest, digest, sizeof(r->digest)) != 0)
		r = r->next;
	return r;
}

static struct tls_roots *
roots_new(struct slice pem, const unsigned char digest[32], struct error *err)
{
	X509_STORE *store = store_fill(pem, err);
	struct tls_roots *r;

	if (store == NULL)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->store = store;
	memcpy(r->digest, digest, sizeof(r->digest));
	r->next = roots_all;
	roots_all = r;
	return r;
}

struct tls_roots *
tls_roots_get(struct slice pem, struct error *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct tls_roots *r;

	if (EVP_Digest(pem.data, pem.length, digest, NULL, EVP_sha256(),
		    NULL) != 1) {
		error_set(err, ERROR_SYSTEM, "%s", pem_library_problem());
		return NULL;
	}
	pthread_mutex_lock(&roots_mutex);
	r = roots_find(digest);
	if (r == NULL)
		r = roots_new(pem, digest, err);
	if (r != NULL)
		r->refs++;
	pthread_mutex_unlock(&roots_mutex);
	return r;
}

void
tls_roots_put(struct tls_roots *r)
{
	struct tls_roots **at = &roots_all;

	if (r == NULL)
		return;
	pthread_mutex_lock(&roots_mutex);
	if (--r->refs == 0) {
		while (*at != r)
			at = &(*at)->next;
		*at = r->next;
		X509_STORE_free(r->store);
		free(r);
	}
	pthread_mutex_unlock(&roots_mutex);
}

X509_STORE *
tls_roots_store(struct tls_roots *r)
{
	return r->store;
}

/* ---- what a context is made of */

static int
identity_take(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
	struct pem_certificates reader;
	EVP_PKEY *key = NULL;
	X509 *cert;
	int rc = -1;

	if (o->cert.length == 0 && o->key.length == 0)
		return 0;
	pem_certificates_init(&reader, o->cert);
	while ((cert = pem_certificates_next(&reader, err)) != NULL) {
		int ok = reader.count == 1 ? SSL_CTX_use_certificate(ctx, cert)
					   : SSL_CTX_add1_chain_cert(ctx, cert);

		X509_free(cert);
		if (ok != 1) {
			reader.failed = true;
			error_set(err, ERROR_CONFIG,
				"certificate %zu of the text: %s", reader.count,
				pem_library_problem());
		}
	}
	if (pem_certificates_fini(&reader) < 0)
		return error_prefix(err, "certificate");
	key = pem_key_read(o->key, err);
	if (key == NULL)
		return error_prefix(err, "key");
	if (SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
		SSL_CTX_check_private_key(ctx) == 1)
		rc = 0;
	else
		error_set(err, ERROR_CONFIG,
			"the key does not belong to the certificate");
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc;
}

/* RFC 7301 3.1: each behind its length. */
static int
alpn_take(SSL_CTX *ctx, const char *const *alpn, struct error *err)
{
	unsigned char list[ALPN_LIST_MAX];
	size_t at = 0;

	for (; alpn != NULL && *alpn != NULL; alpn++) {
		size_t length = strlen(*alpn);

		if (length == 0 || length > 255 ||
			at + 1 + length > sizeof(list))
			return error_set(err, ERROR_CONFIG,
				"alpn: the protocols' names are too long");
		list[at] = (unsigned char)length;
		memcpy(list + at + 1, *alpn, length);
		at += 1 + length;
	}
	/* Other than all else, it returns 0 when it went well. */
	if (at > 0 && SSL_CTX_set_alpn_protos(ctx, list, (unsigned)at) != 0)
		return error_set(
			err, ERROR_SYSTEM, "alpn: %s", pem_library_problem());
	return 0;
}

static int
versions_take(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
	uint16_t min = o->version_min != 0 ? o->version_min : TLS1_2_VERSION;

	if (min < TLS1_2_VERSION ||
		(o->version_max != 0 && o->version_max < TLS1_2_VERSION))
		return error_set(err, ERROR_CONFIG,
			"versions of TLS before 1.2 are not spoken (RFC 8996)");
	if (o->version_max != 0 && o->version_max < min)
		return error_set(err, ERROR_CONFIG,
			"the lowest version of TLS is above the highest");
	if (SSL_CTX_set_min_proto_version(ctx, min) != 1 ||
		SSL_CTX_set_max_proto_version(ctx, o->version_max) != 1)
		return error_set(err, ERROR_CONFIG, "versions of TLS: %s",
			pem_library_problem());
	return 0;
}

static int
lists_take(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
	if (o->ciphers != NULL && SSL_CTX_set_cipher_list(ctx, o->ciphers) != 1)
		return error_set(err, ERROR_CONFIG,
			"cipher suites \"%.100s\": %s", o->ciphers,
			pem_library_problem());
	if (o->curves != NULL && SSL_CTX_set1_groups_list(ctx, o->curves) != 1)
		return error_set(err, ERROR_CONFIG,
			"curves \"%.100s\": OpenSSL does not know them all",
			o->curves);
	return 0;
}

static int
trust_take(
	struct tls_context *c, const struct tls_options *o, struct error *err)
{
	if (o->ca.length == 0)
		return error_set(err, ERROR_CONFIG,
			"there is no certificate that could be trusted");
	c->roots = tls_roots_get(o->ca, err);
	if (c->roots == NULL)
		return error_prefix(err, "trusted certificates");
	SSL_CTX_set1_cert_store(c->ctx, tls_roots_store(c->roots));
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ctx, tls_verify, NULL);
	return 0;
}

static void
habits_set(SSL_CTX *ctx, const struct tls_options *o)
{
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION);
	if (!o->renegotiation)
		SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	/* Sessions are the caller's to keep. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_BUFFER);
}

static bool no_files;
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void
library_begin(void)
{
	if (no_files)
		OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

void
tls_use_no_files(void)
{
	no_files = true;
}

struct tls_context *
tls_context_new(const struct tls_options *o, struct error *err)
{
	struct tls_context *c = xcalloc(1, sizeof(*c));

	pthread_once(&library_once, library_begin);
	ERR_clear_error();
	atomic_init(&c->refs, 1);
	c->ctx = SSL_CTX_new(TLS_client_method());
	if (c->ctx == NULL) {
		error_set(err, ERROR_SYSTEM, "OpenSSL: %s",
			pem_library_problem());
		goto fail;
	}
	habits_set(c->ctx, o);
	if (trust_take(c, o, err) < 0 || identity_take(c->ctx, o, err) < 0 ||
		versions_take(c->ctx, o, err) < 0 ||
		lists_take(c->ctx, o, err) < 0 ||
		alpn_take(c->ctx, o->alpn, err) < 0)
		goto fail;
	return c;
fail:
	tls_context_unref(c);
	return NULL;
}

struct tls_context *
tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void
tls_context_unref(struct tls_context *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	SSL_CTX_free(c->ctx);
	tls_roots_put(c->roots);
	free(c);
}
