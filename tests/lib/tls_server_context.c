/* OpenSSL's context of a server. */
#include "tests/lib/tls_server_context.h"

#include <openssl/err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
	const unsigned char *in, unsigned in_length, void *arg)
{
	const char *alpn = arg;
	unsigned char list[64];

	(void)ssl;
	list[0] = (unsigned char)strlen(alpn);
	memcpy(list + 1, alpn, list[0]);
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out,
		       out_length, list, list[0] + 1u, in,
		       in_length) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

SSL_CTX *
tls_server_context_new(const struct tls_server_options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (SSL_CTX_use_certificate(ctx, o->own->cert) != 1 ||
		SSL_CTX_use_PrivateKey(ctx, o->own->key) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"t", 1);
	if (o->chain != NULL)
		SSL_CTX_add1_chain_cert(ctx, o->chain->cert);
	if (o->wants != NULL) {
		X509_STORE_add_cert(
			SSL_CTX_get_cert_store(ctx), o->wants->cert);
		SSL_CTX_set_verify(ctx,
			SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			NULL);
	}
	if (o->version != 0) {
		SSL_CTX_set_min_proto_version(ctx, o->version);
		SSL_CTX_set_max_proto_version(ctx, o->version);
	}
	if (o->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(
			ctx, on_alpn, (void *)(uintptr_t)o->alpn);
	return ctx;
}
