/* PEM texts for OpenSSL. */
#include "net/pem.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (16u << 20)

/* ---- OpenSSL's memory: it wipes the keys that it has read, but not all that
 * it read them from */

static _Thread_local bool reads_key;

static void *
library_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size > 0 ? malloc(size) : NULL;
}

static void
library_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (reads_key && p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
library_realloc(void *old, size_t size, const char *file, int line)
{
	size_t had;
	void *p;

	if (old == NULL)
		return library_malloc(size, file, line);
	if (size > 0 && !reads_key)
		return realloc(old, size);
	p = library_malloc(size, file, line);
	if (p == NULL && size > 0)
		return NULL;
	had = malloc_usable_size(old);
	if (p != NULL)
		memcpy(p, old, had < size ? had : size);
	library_free(old, file, line);
	return p;
}

/* Before OpenSSL takes any memory: later it refuses others' functions. */
static void __attribute__((constructor))
library_memory_set(void)
{
	CRYPTO_set_mem_functions(
		library_malloc, library_realloc, library_free);
}

/* ---- texts */

static BIO *
text_open(struct slice text)
{
	if (text.length > TEXT_MAX)
		return NULL;
	return BIO_new_mem_buf(
		text.length > 0 ? text.data : "", (int)text.length);
}

const char *
pem_library_problem(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return text != NULL ? text : "OpenSSL does not say why";
}

void
pem_certificates_init(struct pem_certificates *p, struct slice text)
{
	*p = (struct pem_certificates){ .bio = text_open(text) };
}

static bool
is_end(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	       ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

X509 *
pem_certificates_next(struct pem_certificates *p, struct error *err)
{
	X509 *cert = NULL;

	if (p->done || p->failed)
		return NULL;
	ERR_clear_error();
	if (p->bio != NULL)
		cert = PEM_read_bio_X509(p->bio, NULL, NULL, NULL);
	if (cert != NULL) {
		p->count++;
		return cert;
	}
	if (p->bio == NULL) {
		p->failed = true;
		error_set(err, ERROR_LIMIT,
			"more than %u bytes are too many for certificates",
			TEXT_MAX);
	} else if (!is_end()) {
		p->failed = true;
		error_set(err, ERROR_CONFIG,
			"certificate %zu of the text cannot be read: %s",
			p->count + 1, pem_library_problem());
	} else if (p->count == 0) {
		p->failed = true;
		error_set(err, ERROR_CONFIG,
			"there is no certificate in it: it has no line "
			"-----BEGIN CERTIFICATE-----");
	}
	p->done = true;
	ERR_clear_error();
	return NULL;
}

int
pem_certificates_fini(struct pem_certificates *p)
{
	BIO_free(p->bio);
	p->bio = NULL;
	return p->failed || p->count == 0 ? -1 : 0;
}

/* Nobody is there to be asked. */
static int
on_passphrase(char *out, int size, int writes, void *arg)
{
	bool *asked = arg;

	(void)out;
	(void)size;
	(void)writes;
	*asked = true;
	return -1;
}

/* Of another text OpenSSL says no more than "unsupported". */
static bool
has_key(struct slice text)
{
	static const char line[] = "PRIVATE KEY-----";

	return text.length > 0 &&
	       memmem(text.data, text.length, line, sizeof(line) - 1) != NULL;
}

EVP_PKEY *
pem_key_read(struct slice text, struct error *err)
{
	BIO *bio = text_open(text);
	EVP_PKEY *key = NULL;
	bool asked = false;

	ERR_clear_error();
	reads_key = true;
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &asked);
	reads_key = false;
	if (key != NULL)
		goto out;
	if (asked)
		error_set(err, ERROR_CONFIG,
			"the key has a passphrase; \"openssl pkey\" writes it "
			"without one");
	else if (bio != NULL && !has_key(text))
		error_set(err, ERROR_CONFIG,
			"there is no key in it: it has no line -----BEGIN "
			"PRIVATE KEY-----");
	else
		error_set(err, ERROR_CONFIG, "the key cannot be read: %s",
			pem_library_problem());
out:
	ERR_clear_error();
	BIO_free(bio);
	return key;
}

void
pem_name_print(const X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = -1;

	if (bio != NULL &&
		X509_NAME_print_ex(bio, name, 0,
			XN_FLAG_RFC2253 &
				~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_read(bio, out, (int)size - 1);
	out[n > 0 ? n : 0] = '\0';
	text_defuse(out);
	BIO_free(bio);
	ERR_clear_error();
}
