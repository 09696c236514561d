/* Secrets as control looks at them. */
#include "control/secret.h"

#include <string.h>

#include "base/clock.h"
#include "config/store.h"
#include "control/relation.h"
#include "net/certificate.h"

static struct slice
slice_or_empty(const char *text)
{
	return text == NULL ? (struct slice){ "", 0 } : slice_of(text);
}

/* ---- whether it holds together */

static int
pem_check(const char *place, const char *pem, struct error *err)
{
	struct certificate_facts facts;

	if (pem == NULL)
		return 0;
	if (certificate_read(slice_of(pem), &facts, err) == 0)
		return 0;
	return error_prefix(err, "%s", place);
}

int
secret_pem_check(const struct secret_pem *p, struct error *err)
{
	if (pem_check(p->cert_place, p->cert, err) != 0 ||
		pem_check(p->ca_place, p->ca, err) != 0)
		return -1;
	if (p->cert == NULL || certificate_key_fits(slice_of(p->cert),
				       slice_or_empty(p->key), err) == 0)
		return 0;
	return error_prefix(err, "%s", p->key_place);
}

struct secret_pem
secret_pem_of(const struct model_secret *s)
{
	return (struct secret_pem){
		.cert = s->tls.cert_chain,
		.key = s->tls.private_key,
		.ca = s->tls.root_ca,
		.cert_place = "tls.certChain",
		.key_place = "tls.privateKey",
		.ca_place = "tls.rootCa",
	};
}

int
secret_check(const struct model_secret *s, struct error *err)
{
	struct secret_pem p = secret_pem_of(s);

	return s->type == MODEL_SECRET_TLS ? secret_pem_check(&p, err) : 0;
}

/* ---- whether it is of use now */

static void
pem_warn(const char *place, const char *pem, bool bundle, uint64_t now_ms,
	struct str *to)
{
	struct certificate_facts facts;
	struct error err = ERROR_INIT;
	char text[CLOCK_TEXT_MAX];
	const char *separator = to->length > 0 ? "; " : "";

	if (pem == NULL)
		return;
	if (certificate_read(slice_of(pem), &facts, &err) != 0)
		str_printf(to, "%s%s: %s", separator, place, err.text);
	else if (bundle && facts.count > 1)
		return; /* old ones may stand beside those that count */
	else if (facts.not_after_ms <= now_ms)
		str_printf(to, "%s%s: a certificate expired at %s", separator,
			place, clock_format(facts.not_after_ms, text));
	else if (facts.not_before_ms > now_ms)
		str_printf(to, "%s%s: a certificate is not valid before %s",
			separator, place,
			clock_format(facts.not_before_ms, text));
}

void
secret_pem_warn(const struct secret_pem *p, uint64_t now_ms, struct str *to)
{
	pem_warn(p->cert_place, p->cert, false, now_ms, to);
	pem_warn(p->ca_place, p->ca, true, now_ms, to);
}

void
secret_warn(const struct model_secret *s, uint64_t now_ms, struct str *to)
{
	struct secret_pem p = secret_pem_of(s);

	if (s->type == MODEL_SECRET_TLS)
		secret_pem_warn(&p, now_ms, to);
}

/* ---- what may be shown */

static void
facts_print(const struct model_secret_tls *t, struct doc *d)
{
	const char *pem = t->cert_chain != NULL ? t->cert_chain : t->root_ca;
	struct certificate_facts facts;
	char text[CLOCK_TEXT_MAX];

	if (certificate_read(slice_of(pem), &facts, NULL) != 0)
		return;
	doc_set_string(d, "fingerprint", facts.fingerprint);
	doc_set_string(d, "subject", facts.subject);
	doc_set_string(d, "issuer", facts.issuer);
	doc_set_string(d, "notAfter", clock_format(facts.not_after_ms, text));
}

uint64_t
secret_created_ms(const struct control *c, const struct object *o)
{
	if (o->model->meta->created_ms != 0)
		return o->model->meta->created_ms;
	if (o->origin != NULL || c->store == NULL)
		return 0;
	return store_written_ms(c->store, o->type, o->ns, o->name);
}

struct doc *
secret_print(const struct control *c, const struct object *o)
{
	const struct model_secret *s = o->model->secret;
	uint64_t created = secret_created_ms(c, o);
	struct doc *d = doc_new_map();
	char text[CLOCK_TEXT_MAX];

	doc_set_string(d, "type", model_secret_title(s));
	if (s->type == MODEL_SECRET_TLS)
		facts_print(&s->tls, d);
	if (created != 0)
		doc_set_string(d, "created", clock_format(created, text));
	doc_set(d, "usedBy", relation_secret_users(c->objects, o->model));
	return d;
}
