/* How TLS is spoken to upstreams. */
#include "proxy/trust.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/table.h"
#include "model/image.h"
#include "net/tls.h"
#include "proxy/vault.h"

struct trusts {
	const struct vault *vault;
	struct table *all;      /* struct known, by all of their content */
	struct table *contexts; /* struct shared, by what makes a context */
};

struct shared {
	struct tls_context *context;
	char *problem; /* why there is none; or NULL */
	size_t users;  /* of those in `all` */
};

struct known {
	struct trust *trust;
	struct shared *shared;
};

/* ---- one */

static struct trust *
trust_new(const struct image *image, const struct image_tls *tls)
{
	const struct image_str *names = image_at(image, tls->names.offset);
	struct trust *t = xcalloc(1, sizeof(*t));
	uint32_t count = tls->names.count;

	atomic_init(&t->refs, 1);
	atomic_init(&t->failures, 0);
	t->server_name =
		xstrdup(tls->server_name.length > 0
				? image_text(image, tls->server_name).data
				: "");
	if (count == 0)
		return t;
	t->names = xcalloc(count + 1, sizeof(*t->names));
	for (uint32_t i = 0; i < count; i++)
		t->names[i] = xstrdup(image_text(image, names[i]).data);
	return t;
}

struct trust *
trust_ref(struct trust *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void
trust_unref(struct trust *t)
{
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	tls_context_unref(t->context);
	for (size_t i = 0; t->names != NULL && t->names[i] != NULL; i++)
		free((char *)(uintptr_t)t->names[i]);
	free(t->names);
	free(t->server_name);
	free(t->problem);
	free(t);
}

/* ---- contexts */

/* Each text behind its length, so that no two contents look alike. */
static void
text_add(struct str *to, const struct image *image, struct image_str text)
{
	str_printf(to, "%" PRIu32 ":%s ", text.length,
		text.length > 0 ? image_text(image, text).data : "");
}

static void
texts_add(struct str *to, const struct image *image, struct image_array texts)
{
	const struct image_str *s = image_at(image, texts.offset);

	str_printf(to, "%" PRIu32 " ", texts.count);
	for (uint32_t i = 0; i < texts.count; i++)
		text_add(to, image, s[i]);
}

static void
context_key(
	struct str *to, const struct image *image, const struct image_tls *tls)
{
	str_printf(to, "%016" PRIx64 " %016" PRIx64 " %x %x %u ", tls->roots,
		tls->identity, tls->version_min, tls->version_max,
		tls->renegotiation);
	text_add(to, image, tls->ciphers);
	text_add(to, image, tls->curves);
	texts_add(to, image, tls->alpn);
}

static const char *
text_or_null(const struct image *image, struct image_str text)
{
	return text.length > 0 ? image_text(image, text).data : NULL;
}

/* The best first; http/1.1 is what is spoken. */
static const char **
alpn_list(const struct image *image, struct image_array alpn)
{
	const struct image_str *s = image_at(image, alpn.offset);
	const char **list = xcalloc(alpn.count + 2, sizeof(*list));

	for (uint32_t i = 0; i < alpn.count; i++)
		list[i] = image_text(image, s[i]).data;
	if (alpn.count == 0)
		list[0] = "http/1.1";
	return list;
}

static struct tls_context *
context_make(const struct trusts *all, const struct image *image,
	const struct image_tls *tls, struct error *err)
{
	const struct vault_item *roots = vault_get(all->vault, tls->roots);
	const struct vault_item *identity =
		vault_get(all->vault, tls->identity);
	const char **alpn = alpn_list(image, tls->alpn);
	struct tls_options o = {
		.alpn = alpn,
		.ciphers = text_or_null(image, tls->ciphers),
		.curves = text_or_null(image, tls->curves),
		.version_min = tls->version_min,
		.version_max = tls->version_max,
		.renegotiation = tls->renegotiation,
	};
	struct tls_context *c;

	o.ca = roots->ca;
	if (identity != NULL) {
		o.cert = identity->cert;
		o.key = identity->key;
	}
	c = tls_context_new(&o, err);
	free(alpn);
	return c;
}

static int
materials_check(const struct trusts *all, const struct image_tls *tls,
	struct error *err)
{
	if (vault_get(all->vault, tls->roots) == NULL)
		return error_set(err, ERROR_SYSTEM,
			"the certificates that are trusted did not come");
	if (tls->identity != 0 && vault_get(all->vault, tls->identity) == NULL)
		return error_set(err, ERROR_SYSTEM,
			"the certificate that we come with did not come");
	return 0;
}

/* NULL: what it takes did not come, which may change. What cannot be made of
 * it stays so. */
static struct shared *
shared_get(struct trusts *all, const struct image *image,
	const struct image_tls *tls, struct error *err)
{
	struct error why = ERROR_INIT;
	struct shared *s;
	struct str key;

	str_init(&key);
	context_key(&key, image, tls);
	s = table_get(all->contexts, key.data);
	if (s == NULL && materials_check(all, tls, err) == 0) {
		s = xcalloc(1, sizeof(*s));
		s->context = context_make(all, image, tls, &why);
		if (s->context == NULL)
			s->problem = xstrdup(why.text);
		table_set(all->contexts, key.data, s);
	}
	str_fini(&key);
	return s;
}

static void
shared_free(void *value)
{
	struct shared *s = value;

	tls_context_unref(s->context);
	free(s->problem);
	free(s);
}

/* ---- all */

static void
known_free(void *value)
{
	struct known *k = value;

	k->shared->users--;
	trust_unref(k->trust);
	free(k);
}

struct trusts *
trusts_new(const struct vault *vault)
{
	struct trusts *all = xcalloc(1, sizeof(*all));

	all->vault = vault;
	all->all = table_new(known_free);
	all->contexts = table_new(shared_free);
	return all;
}

void
trusts_free(struct trusts *all)
{
	if (all == NULL)
		return;
	table_free(all->all);
	table_free(all->contexts);
	free(all);
}

static struct trust *
trust_make(struct trusts *all, const struct image *image,
	const struct image_tls *tls, const char *key)
{
	struct trust *t = trust_new(image, tls);
	struct error err = ERROR_INIT;
	struct shared *shared = shared_get(all, image, tls, &err);
	struct known *k;

	if (shared == NULL) {
		t->problem = xstrdup(err.text);
		return t;
	}
	if (shared->context != NULL)
		t->context = tls_context_ref(shared->context);
	else
		t->problem = xstrdup(shared->problem);
	k = xcalloc(1, sizeof(*k));
	k->trust = trust_ref(t);
	k->shared = shared;
	shared->users++;
	table_set(all->all, key, k);
	return t;
}

struct trust *
trusts_get(struct trusts *all, const struct image *image,
	const struct image_tls *tls)
{
	struct known *k;
	struct trust *t;
	struct str key;

	str_init(&key);
	context_key(&key, image, tls);
	text_add(&key, image, tls->server_name);
	texts_add(&key, image, tls->names);
	k = table_get(all->all, key.data);
	t = k != NULL ? trust_ref(k->trust)
		      : trust_make(all, image, tls, key.data);
	str_fini(&key);
	return t;
}

void
trusts_trim(struct trusts *all)
{
	const char *key;
	size_t place = 0;
	void *value;

	while (table_next(all->all, &place, &key, &value)) {
		const struct known *k = value;

		if (atomic_load(&k->trust->refs) == 1)
			table_remove(all->all, key);
	}
	place = 0;
	while (table_next(all->contexts, &place, &key, &value)) {
		const struct shared *s = value;

		if (s->users == 0)
			table_remove(all->contexts, key);
	}
}
