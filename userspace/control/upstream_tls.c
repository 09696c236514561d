/* How TLS is spoken to one upstream. */
#include "control/upstream_tls.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "control/materials.h"
#include "model/kind.h"
#include "net/tls.h"

#define VERSION_LEAST 0x0303 /* RFC 8996: what is older is not spoken */

/* As OpenSSL writes lists; NULL: none is given. */
static char *
join(char *const *parts, size_t count)
{
	struct str text;

	if (count == 0)
		return NULL;
	str_init(&text);
	for (size_t i = 0; i < count; i++)
		str_printf(&text, "%s%s", i > 0 ? ":" : "", parts[i]);
	return str_steal(&text);
}

bool
upstream_tls_is_spoken(const struct model_upstream *u)
{
	return u->tls != NULL ||
	       (u->kind->tls != NULL && u->kind->tls(u->spec));
}

struct upstream_tls *
upstream_tls_new(struct model_object *upstream)
{
	const struct model_upstream *u = upstream->upstream;
	const struct model_tls *t = u->tls;
	struct upstream_tls *made;

	if (!upstream_tls_is_spoken(u))
		return NULL;
	made = xcalloc(1, sizeof(*made));
	made->model = model_object_ref(upstream);
	if (t == NULL)
		return made;
	made->ciphers = join(t->ciphers, t->cipher_count);
	made->curves = join(t->curves, t->curve_count);
	made->build = (struct image_build_tls){
		.server_name = t->server_name,
		.names = (const char *const *)t->names,
		.name_count = t->name_count,
		.alpn = (const char *const *)t->alpn,
		.alpn_count = t->alpn_count,
		.ciphers = made->ciphers,
		.curves = made->curves,
		.version_min = t->version_min != 0 &&
					       t->version_min < VERSION_LEAST
				       ? VERSION_LEAST
				       : t->version_min,
		.version_max = t->version_max,
		.renegotiation = t->renegotiation,
	};
	return made;
}

void
upstream_tls_free(struct upstream_tls *t)
{
	if (t == NULL)
		return;
	model_object_unref(t->model);
	free(t->ciphers);
	free(t->curves);
	free(t->problem);
	free(t->warning);
	free(t);
}

char *
upstream_tls_key(const struct image_build_tls *b)
{
	struct str key;

	str_init(&key);
	str_printf(&key, "%016" PRIx64 " %016" PRIx64 " %x %x %d ", b->roots,
		b->identity, b->version_min, b->version_max, b->renegotiation);
	str_put_netstring(&key, b->ciphers);
	str_put_netstring(&key, b->curves);
	for (size_t i = 0; i < b->alpn_count; i++)
		str_put_netstring(&key, b->alpn[i]);
	return str_steal(&key);
}

struct tls_context *
upstream_tls_context(const struct control *c, const struct image_build_tls *b,
	struct error *err)
{
	static const char *const http[] = { "http/1.1", NULL };
	const char **alpn = xcalloc(b->alpn_count + 1, sizeof(*alpn));
	struct tls_options o = {
		.alpn = b->alpn_count > 0 ? alpn : http,
		.ciphers = b->ciphers,
		.curves = b->curves,
		.version_min = b->version_min,
		.version_max = b->version_max,
		.renegotiation = b->renegotiation,
	};
	struct tls_context *context;

	for (size_t i = 0; i < b->alpn_count; i++)
		alpn[i] = b->alpn[i];
	materials_bytes(c, b, &o.ca, &o.cert, &o.key);
	context = tls_context_new(&o, err);
	free(alpn);
	return context;
}
