/* How TLS is spoken to one upstream. */
#include "control/upstream_tls.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/kind.h"

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

struct upstream_tls *
upstream_tls_new(struct model_object *upstream)
{
	const struct model_upstream *u = upstream->upstream;
	const struct model_tls *t = u->tls;
	struct upstream_tls *made;

	if (t == NULL && (u->kind->tls == NULL || !u->kind->tls(u->spec)))
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
		.version_min = t->version_min,
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
