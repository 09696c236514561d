/* Whether a certificate is good, and the peer's; if not, why. */
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "net/pem.h"
#include "net/tls_inner.h"

#define NAME_MAX_SHOWN 80
#define NAMES_SHOWN    100 /* bytes of a list of names */

bool
tls_name_is_address(const char *name)
{
	unsigned char room[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, room) == 1 ||
	       inet_pton(AF_INET6, name, room) == 1;
}

/* ---- names (RFC 9525: subjectAltName, never the subject's common name) */

/* A URI as it is, "spiffe://domain/who". */
static bool
uri_fits(const char *uri, const GENERAL_NAMES *all)
{
	int length = (int)strlen(uri);

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
		const ASN1_IA5STRING *s;

		if (name->type != GEN_URI)
			continue;
		s = name->d.uniformResourceIdentifier;
		if (ASN1_STRING_length(s) == length &&
			memcmp(ASN1_STRING_get0_data(s), uri, (size_t)length) ==
				0)
			return true;
	}
	return false;
}

static bool
name_fits(X509 *cert, const char *name, const GENERAL_NAMES *all)
{
	const unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
			       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	size_t length = strlen(name);

	if (tls_name_is_address(name))
		return X509_check_ip_asc(cert, name, flags) == 1;
	if (strstr(name, "://") != NULL)
		return uri_fits(name, all);
	if (strchr(name, '@') != NULL)
		return X509_check_email(cert, name, length, flags) == 1;
	/* The dot of a complete name is no part of it there. */
	if (length > 1 && name[length - 1] == '.')
		length--;
	return length > 0 && name[0] != '.' &&
	       X509_check_host(cert, name, length, flags, NULL) == 1;
}

static void
address_add(struct str *to, const ASN1_OCTET_STRING *ip)
{
	int family = ASN1_STRING_length(ip) == 4 ? AF_INET : AF_INET6;
	char text[INET6_ADDRSTRLEN] = "?";

	if (ASN1_STRING_length(ip) == 4 || ASN1_STRING_length(ip) == 16)
		inet_ntop(
			family, ASN1_STRING_get0_data(ip), text, sizeof(text));
	str_puts(to, text);
}

/* A foreign text: its NULs and other oddities stay visible. */
static void
foreign_add(struct str *to, const ASN1_STRING *s)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(s);
	int length = ASN1_STRING_length(s);

	for (int i = 0; i < length && i < NAME_MAX_SHOWN; i++)
		str_putc(to, bytes[i] > ' ' && bytes[i] < 0x7f ? (char)bytes[i]
							       : '?');
}

/* An address among the DNS names fits nobody (RFC 9525 6.2). */
static bool
dns_name_is_address(const ASN1_IA5STRING *s)
{
	char text[INET6_ADDRSTRLEN] = "";
	size_t length = (size_t)ASN1_STRING_length(s);

	if (length >= sizeof(text))
		return false;
	memcpy(text, ASN1_STRING_get0_data(s), length);
	return tls_name_is_address(text);
}

static void
alternative_add(struct str *to, const GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_DNS:
		foreign_add(to, name->d.dNSName);
		if (dns_name_is_address(name->d.dNSName))
			str_puts(to, " (as a DNS name, not as an IP address)");
		break;
	case GEN_URI:
		foreign_add(to, name->d.uniformResourceIdentifier);
		break;
	case GEN_EMAIL:
		foreign_add(to, name->d.rfc822Name);
		break;
	case GEN_IPADD:
		address_add(to, name->d.iPAddress);
		break;
	default:
		str_puts(to, "something else");
		break;
	}
}

static void
alternatives_print(const GENERAL_NAMES *all, struct str *to)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		if (i > 0)
			str_puts(to, ", ");
		if (to->length > NAMES_SHOWN) {
			str_puts(to, "...");
			return;
		}
		alternative_add(to, sk_GENERAL_NAME_value(all, i));
	}
}

static void
wanted_print(const char *const *names, struct str *to)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (i > 0)
			str_puts(to, " or ");
		if (to->length > NAMES_SHOWN) {
			str_puts(to, "...");
			return;
		}
		str_printf(to, "%.*s", NAME_MAX_SHOWN, names[i]);
	}
}

static void
explain_name(struct tls *t, const GENERAL_NAMES *all)
{
	struct str has, wanted;

	str_init(&has);
	str_init(&wanted);
	alternatives_print(all, &has);
	wanted_print(t->names, &wanted);
	if (has.length == 0)
		tls_explain(t,
			"its certificate is not for %s: it names nobody in "
			"subjectAltName",
			wanted.data);
	else
		tls_explain(t, "its certificate is for %s, not for %s",
			has.data, wanted.data);
	str_fini(&has);
	str_fini(&wanted);
}

static bool
names_check(struct tls *t, X509 *cert)
{
	GENERAL_NAMES *all =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool fits = false;

	for (size_t i = 0; !fits && t->names[i] != NULL; i++)
		fits = name_fits(cert, t->names[i], all);
	if (!fits)
		explain_name(t, all);
	GENERAL_NAMES_free(all);
	ERR_clear_error();
	return fits;
}

/* ---- chains */

static void
time_print(const ASN1_TIME *at, char *out, size_t size)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(at, &tm) != 1 ||
		strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(out, size, "a time that cannot be read");
}

static void
explain_chain(struct tls *t, X509_STORE_CTX *store)
{
	int error = X509_STORE_CTX_get_error(store);
	int depth = X509_STORE_CTX_get_error_depth(store);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	char subject[NAME_MAX_SHOWN] = "?", issuer[NAME_MAX_SHOWN] = "?";
	const char *whose =
		depth == 0 ? "its certificate" : "the certificate of an issuer";
	char when[32] = "?";

	if (cert != NULL) {
		pem_name_print(
			X509_get_subject_name(cert), subject, sizeof(subject));
		pem_name_print(
			X509_get_issuer_name(cert), issuer, sizeof(issuer));
	}
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		if (cert != NULL)
			time_print(
				X509_get0_notAfter(cert), when, sizeof(when));
		tls_explain(t, "%s (%s) has expired: it was valid until %s",
			whose, subject, when);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		if (cert != NULL)
			time_print(
				X509_get0_notBefore(cert), when, sizeof(when));
		tls_explain(t, "%s (%s) is not valid before %s", whose, subject,
			when);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		tls_explain(t,
			"its certificate (%s) is self-signed, and none of "
			"those that are trusted",
			subject);
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		tls_explain(t,
			"its certificate comes from %s, which is none of "
			"those that are trusted",
			subject);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		tls_explain(t,
			"%s (%s) comes from %s, which is neither sent along "
			"nor one of those that are trusted",
			whose, subject, issuer);
		break;
	default:
		tls_explain(t, "%s (%s) is no good: %s", whose, subject,
			X509_verify_cert_error_string(error));
	}
}

int
tls_verify(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
		store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);

	(void)arg;
	if (X509_verify_cert(store) != 1) {
		explain_chain(t, store);
		return 0;
	}
	if (!names_check(t, X509_STORE_CTX_get0_cert(store))) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
		return 0;
	}
	return 1;
}
